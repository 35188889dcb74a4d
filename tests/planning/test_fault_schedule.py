"""Faults in a scenario file: what is wrong with them comes at once, and drawn ones are faults like others."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from tests.planning.test_planner import planned
from tests.small_stack import CATALOGUE, STACK, Kill, KillParams, write_scenario
from tocsin.harness.core.errors import UsageError
from tocsin.harness.planning.loader import load
from tocsin.harness.planning.planner import plan

FAULTS = "faults: [{model_raises: {share: 0.3}, at: 2m, for: 5m, name: failing}]"
CHOICES = "{random: {from: [{kill: {role: prometheus}}, {model_raises: {share: 0.2}}], every: 3m, for: 1m}}"
KILL = "{kill: {role: model}, at: 1m, for: 2m, name: outage}"


def told(folder: Path, faults: str, *changes: tuple[str, str], **files: str) -> list[str]:
    """Return the mistakes of the sample scenario with other faults in its phase `trouble`."""
    with pytest.raises(UsageError) as raised:
        load(write_scenario(folder, (FAULTS, f"faults: [{faults}]"), *changes, **files), CATALOGUE)
    assert {mistake.line for mistake in raised.value.mistakes} == {10 + bool(changes and "\n" in changes[0][1])}
    return [f"{mistake.where}: {mistake.value}: {mistake.expected} {mistake.hint}" for mistake in raised.value.mistakes]


class DeepParams(KillParams):
    depth: int = Field(ge=0)


class DeepKill(Kill):
    kind = "kill"
    params: DeepParams


def test_two_mistakes_in_one_fault_come_at_once(tmp_path: Path) -> None:
    catalogue = type(CATALOGUE)(**{**vars(CATALOGUE), "faults": {**CATALOGUE.faults, "kill": DeepKill}})
    path = write_scenario(tmp_path, (FAULTS, "faults: [{kill: {role: modle, depth: -1}}]"))
    with pytest.raises(UsageError) as raised:
        load(path, catalogue)
    assert sorted(mistake.where.rpartition(".")[2] for mistake in raised.value.mistakes) == ["depth", "role"]
    assert "did you mean `model`?" in str(raised.value)


def test_a_check_with_two_mistakes_names_both(tmp_path: Path) -> None:
    wrong = ("alert: HighErrorRate, in: trouble, within: 6m", "alert: HighErorRate, in: trouble, within: soon")
    with pytest.raises(UsageError) as raised:
        load(write_scenario(tmp_path, wrong), CATALOGUE)
    assert [mistake.value for mistake in raised.value.mistakes] == ["'soon'", "HighErorRate"]


MISTAKES = [
    ("{random: {from: [], every: 3m, for: 1m}}", ["from: []: at least one item"]),
    ("{random: {from: [{kil: {role: model}}], every: 3m, for: 1m}}", ["did you mean `kill`? `tocsin ls faults` lists"]),
    ("{random: {from: [{kill: {role: modle}}], every: 3m, for: 1m}}", ["role: modle: a known role"]),
    ("{random: {from: [{kill: {role: model}, at: 2m}], every: 3m, for: 1m}}", ["fault: kill, at: exactly one fault"]),
    ("{random: {from: [{kill: {role: model}}], every: 11m, for: 1m}}", ["every: 11m: at most 10m"]),
    ("{random: {from: [{kill: {role: model}}], every: 3m, for: 5m}, at: 6m}", ["for: 5m: at most 4m"]),
    ("{random: {from: [{kill: {role: modle}}, {model_raises: {share: 3}}], every: 0s, for: 1m}}",
     ["every: ", "share: 3: ", "role: modle: "]),
    ("{rndom: {}}", ["did you mean `random`? `tocsin ls faults` lists all"]),
    (f"{CHOICES}, {CHOICES}", ["name: random: a name no other fault has"] * 2),
    (f"{KILL}, {{kill: {{role: model}}, at: 2m, for: 2m, name: again}}", ["fault: `again` (kill) while `outage`"]),
    (f"{KILL}, {{model_raises: {{share: 1}}, at: 2m}}", ["fault: `model_raises` (model_raises) while `outage`"]),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "words"), MISTAKES, ids=[faults[:60] for faults, _ in MISTAKES])
def test_mistakes_of_faults(tmp_path: Path, faults: str, words: list[str]) -> None:
    found = told(tmp_path, faults)
    assert len(found) == len(words), found
    for word in words:
        assert any(word in one for one in found), (word, found)


def test_faults_that_only_touch_are_allowed(tmp_path: Path) -> None:
    again = f"{KILL}, {{kill: {{role: model}}, at: 3m, for: 2m, name: again}}"
    timeline = planned(tmp_path, (FAULTS, f"faults: [{again}]"))
    at_three = [(step.action, step.name) for step in timeline.steps if step.at_s == 480]
    assert at_three == [("heal", "outage"), ("inject", "again")]


BUDGET = ("timeline:", "budget: {targets: 1, for: 3m}\ntimeline:")


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("{kill: {role: model}, at: 1m, for: 4m}", "`kill` for 4m: at most 3m"),
        ("{kill: {role: model}, at: 8m}", ""),
        (f"{KILL}, {{kill: {{role: prometheus}}, at: 2m, for: 2m}}", "2 targets broken at once, 7m into the drill"),
        (CHOICES, ""),
    ],
)
@pytest.mark.parametrize("in_stack", [False, True])
def test_a_budget_of_the_scenario_or_of_its_stack(tmp_path: Path, faults: str, words: str, in_stack: bool) -> None:
    changes = () if in_stack else (BUDGET,)
    files = {"stack": f"budget: {{targets: 1, for: 3m}}\n{STACK}"} if in_stack else {}
    if words:
        (found,) = told(tmp_path, faults, *changes, **files)
        assert found.startswith("budget: ") and words in found
    else:
        load(write_scenario(tmp_path, (FAULTS, f"faults: [{faults}]"), *changes, **files), CATALOGUE)


def test_a_scenario_may_ask_for_more_than_its_stack_has_by_default(tmp_path: Path) -> None:
    stack = f"budget: {{targets: 1, for: 1m}}\n{STACK}"
    load(write_scenario(tmp_path, ("timeline:", "budget: {targets: 1, for: 5m}\ntimeline:"), stack=stack), CATALOGUE)


def test_drawn_faults_are_planned_like_others(tmp_path: Path) -> None:
    timeline = planned(tmp_path, (FAULTS, f"faults: [{CHOICES}]"))
    assert [fault.name.rsplit("-", 1)[0] for fault in timeline.faults] == ["random-1", "random-2", "random-3"]
    for fault in timeline.faults:
        assert (fault.phase, fault.heal_s - fault.inject_s) == ("trouble", 60)
        assert 300 <= fault.inject_s < fault.heal_s <= 900
        assert fault.blinds == ((("notifications", "prometheus"),) if fault.kind == "kill" else ())
    assert {step.name for step in timeline.steps if step.action == "heal"} == {one.name for one in timeline.faults}


def test_a_check_may_name_a_drawn_fault_of_the_seed_that_is_played(tmp_path: Path) -> None:
    names = {seed: planned(tmp_path, (FAULTS, f"faults: [{CHOICES}]"), seed=seed).faults[0].name for seed in range(9)}
    kill = next(seed for seed, name in names.items() if name == "random-1-kill")
    other = next(seed for seed, name in names.items() if name != "random-1-kill")
    during = ("in: trouble", "during: random-1-kill")
    path = write_scenario(tmp_path, (FAULTS, f"faults: [{CHOICES}]"), during)
    scenario, stack = load(path, CATALOGUE, seed=kill)
    assert plan(scenario, stack, CATALOGUE, kill, 30).floors[0].where == "random-1-kill"
    with pytest.raises(UsageError, match="unknown fault `random-1-kill`; did you mean.*random-1-model_raises"):
        load(path, CATALOGUE, seed=other)


@pytest.mark.parametrize(
    ("abort", "stack", "words"),
    [
        ("rate(errors[5m]) >", STACK, "a PromQL expression"),
        (
            "up == 0",
            STACK.replace("prometheus: prometheus/prometheus.yml\n", ""),
            "this stack has no Prometheus to ask",
        ),
        ("up == 0", STACK, ""),
    ],
)
def test_an_abort_condition_that_cannot_be_asked(tmp_path: Path, abort: str, stack: str, words: str) -> None:
    aborts = ("timeline:", f"abort: [{{when: '{abort}', for: 1m}}]\ntimeline:")
    fires = ("  - alerts/fire: {alert: HighErrorRate, in: trouble, within: 6m, delivered_to: page}\n", "")
    path = write_scenario(tmp_path, aborts, *([fires] if words else []), stack=stack)
    if not words:
        assert [one.lasts for one in load(path, CATALOGUE)[0].abort] == [60]
        return
    with pytest.raises(UsageError) as raised:
        load(path, CATALOGUE)
    (mistake,) = raised.value.mistakes
    assert (mistake.line, mistake.where) == (5, "when")
    assert words in mistake.expected


def test_an_abort_condition_is_divided_like_a_rule(tmp_path: Path) -> None:
    abort = ("timeline:", "abort: [{when: 'rate(e_total[5m]) > 3', for: 1m}]\ntimeline:")
    ((written, asked),) = planned(tmp_path, abort).aborts
    assert (written.when, asked) == ("rate(e_total[5m]) > 3", "rate(e_total[10s]) > 3")
    hour = ("timeline:", "abort: [{when: 'hour() > 3'}]\ntimeline:")
    timeline = planned(tmp_path, hour)
    assert timeline.largest_speed == 1
    assert "abort: `hour()`" in timeline.limited_by
