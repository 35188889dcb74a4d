"""A scenario file becomes values, or every mistake at once with its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.small_stack import CATALOGUE, SCENARIO, write_scenario, write_stack
from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.errors import UsageError
from tocsin.harness.declarations.check_arguments import AlertName, Args, ReceiverName
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.planning.loader import load, load_stack, read_page


def test_a_good_scenario_is_read_whole(tmp_path: Path) -> None:
    scenario, stack = load(write_scenario(tmp_path), CATALOGUE)
    trouble = scenario.timeline[1]
    assert (stack.name, stack.folder) == ("small", tmp_path / "small")
    assert (trouble.lasts, trouble.faults[0].kind, trouble.faults[0].at, trouble.faults[0].lasts) == (
        600,
        "model_raises",
        120,
        300,
    )
    assert [(line.check, line.line) for line in scenario.expect] == [("alerts/fire", 13), ("alerts/quiet", 14)]
    assert scenario.timeline[2].traffic.rate_per_s == 10


MISTAKES = [
    (("version: 1\n", "version: 2\n"), 1, "version", "1"),
    (("name: sample", "name: Sample Drill"), 2, "name", "text that matches"),
    (("summary: A sample.\n", ""), 1, "summary", "`summary`"),
    (("summary: A sample.", "sumary: A sample."), 3, "sumary", "did you mean `summary`?"),
    (("for: 5m}\n  - phase", "for: 5 minutes}\n  - phase"), 6, "timeline.0.for", "a duration such as"),
    (("timeline:", "traffic: {users: predicts}\ntimeline:"), 5, "users", "did you mean `predict`?"),
    (("phase: recovery", "phase: trouble"), 11, "phase", "used once"),
    (("rate_per_s: 10}", "rate_per_s: -10}"), 11, "rate_per_s", "greater than 0"),
    (("rate_per_s: 10}", "rates_per_s: 10}"), 11, "rates_per_s", "did you mean `rate_per_s`?"),
    (("rate_per_s: 10}", "arrivals: poison}"), 11, "arrivals", "did you mean `poisson`?"),
    (("rate_per_s: 10}", "arrivals: {ramp: {to_per_s: 20}, burst: {}}}"), 11, "traffic.arrivals", "a name such as"),
    (("rate_per_s: 10}", "arrivals: ramp}"), 11, "arrivals.to_per_s", "`to_per_s`"),
    (("rate_per_s: 10}", "arrivals: {ramp: {to_per_s: 20, ovr: 2m}}}"), 11, "ovr", "did you mean `over`?"),
    (("rate_per_s: 10}", "arrivals: {ramp: {to_per_s: 20, over: 6m}}}"), 11, "over", "at most 5m"),
    (("rate_per_s: 10}", "arrivals: {replay: {file: gone.txt}}}"), 11, "file", "no recording gone.txt"),
    (("timeline:", "traffic: {arrivals: {ramp: {to_per_s: 20, over: 21m}}}\ntimeline:"), 5, "over", "at most 20m"),
    (("shift: mean", "shift: median"), 9, "shift", "'mean'"),
    (("shift: mean", "shft: mean"), 9, "payload", "did you mean `shift`?"),
    (("features: [f1]", "features: [f9]"), 9, "features", "unknown feature `f9`; known here: f1, f2, f3"),
    (("share: 0.3", "share: 3"), 10, "share", "less than or equal to 1"),
    (("model_raises", "model_raise"), 10, "fault", "did you mean `model_raises`?"),
    (("{model_raises: {share: 0.3}, at", "{kill: {role: modle}, at"), 10, "role", "did you mean `model`?"),
    (("at: 2m, for: 5m", "at: 2m, for: 9m"), 10, "fault", "inside phase `trouble` of 10m"),
    (("{share: 0.3}, at: 2m", "{share: 0.3}, kill: {role: model}, at: 2m"), 10, "fault", "exactly one fault"),
    (
        ("faults: [{model_raises: {share: 0.3}, at: 2m, for: 5m, name: failing}]", "faults: kill"),
        10,
        "faults",
        "a list",
    ),
    (("alerts/fire", "alert/fire"), 13, "check", "did you mean `alerts/fire`?"),
    (("alert: HighErrorRate", "alert: HighErorRate"), 13, "alert", "did you mean `HighErrorRate`?"),
    (("in: trouble", "in: truble"), 13, "in", "did you mean `trouble`?"),
    (("in: trouble", "during: faling"), 13, "during", "did you mean `failing`?"),
    (("delivered_to: page", "delivered_to: pager"), 13, "delivered_to", "did you mean `page`?"),
    (("within: 6m", "within: 16m"), 13, "within", "at most 10m, the length of phase `trouble`"),
    (
        ("in: trouble, within: 6m", "during: failing, within: 14m"),
        13,
        "within",
        "at most 13m, what is left of the drill when `failing` begins",
    ),
    (
        (
            "alerts/fire: {alert: HighErrorRate, in: trouble, within: 6m",
            "alerts/end: {alert: HighErrorRate, during: failing, within: 9m",
        ),
        13,
        "within",
        "at most 8m, what is left of the drill when `failing` ends",
    ),
    (("within: 6m, ", ""), 13, "within", "`within`"),
    (("- alerts/quiet: {}", "- alerts/quiet"), 14, "expect", "one check with its arguments"),
    (("- alerts/quiet: {}", "- alerts/quiet: {loud: 1}"), 14, "loud", "unknown key `loud`; known here: during, in"),
    (("- alerts/quiet: {}", "- waive: {until: 2027-01-31, reason: x}"), 14, "expect", "one check with its arguments"),
    (("- alerts/quiet: {}", "- {alerts/quiet: {}, waive: {until: 2027-01-31}}"), 14, "waive.reason", "`reason`"),
    (
        ("- alerts/quiet: {}", "- {alerts/quiet: {}, waive: {until: soon, reason: x}}"),
        14,
        "waive.until",
        "a date such as",
    ),
    (
        ("- alerts/quiet: {}", "- {alerts/quiet: {}, waive: {until: 2027-02-31, reason: x}}"),
        14,
        "YAML",
        "a date such as",
    ),
    (
        ("- alerts/quiet: {}", '- {alerts/quiet: {}, waive: {until: 2027-01-31, reason: ""}}'),
        14,
        "waive.reason",
        "at least 1",
    ),
    (("- alerts/quiet: {}", "- {alerts/quiet: {}, waive: later}"), 14, "waive", "a mapping"),
]


@pytest.mark.parametrize(
    ("change", "line", "where", "words"), MISTAKES, ids=[change[1][:40] for change, *_ in MISTAKES]
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, where: str, words: str
) -> None:
    path = write_scenario(tmp_path, change)
    with pytest.raises(UsageError) as raised:
        load(path, CATALOGUE)
    found = [m for m in raised.value.mistakes if m.where.endswith(where) and words in str(m)]
    assert [m.line for m in found] == [line], str(raised.value)
    assert found[0].file == str(path)


def test_a_waiver_stands_beside_its_check(tmp_path: Path) -> None:
    waived = ("- alerts/quiet: {}", '- alerts/quiet: {}\n    waive: {until: 2027-01-31, reason: "It is known."}')
    scenario, _ = load(write_scenario(tmp_path, waived), CATALOGUE)
    line = scenario.expect[1]
    assert (line.check, line.args, line.line) == ("alerts/quiet", {}, 14)
    assert (str(line.waive.until), line.waive.reason) == ("2027-01-31", "It is known.")
    again = Scenario.model_validate(scenario.model_dump(mode="json", by_alias=True))
    assert (again.expect[1].waive, again.expect[0].waive) == (line.waive, None)


def test_names_inside_lists_and_mappings_are_looked_up(tmp_path: Path) -> None:
    class One(Frozen):
        alert: AlertName

    class Several(Args):
        may: tuple[AlertName | One, ...] = ()
        routes: dict[str, tuple[ReceiverName, ...]] = {}

    catalogue = replace(CATALOGUE, checks={**CATALOGUE.checks, "alerts/quiet": Several})
    wrong = "{may: [FeatureDrift, {alert: HighErorRate}], routes: {critical: [page, pagr]}}"
    with pytest.raises(UsageError) as raised:
        load(write_scenario(tmp_path, ("- alerts/quiet: {}", f"- alerts/quiet: {wrong}")), catalogue)
    found = [(mistake.line, mistake.value) for mistake in raised.value.mistakes]
    assert found == [(14, "HighErorRate"), (14, "pagr")]


def test_mistakes_of_one_kind_do_not_hide_each_other(tmp_path: Path) -> None:
    path = write_scenario(
        tmp_path,
        ("version: 1\n", "version: 3\n"),
        ("alert: HighErrorRate", "alrt: HighErrorRate"),
        ("model_raises", "model_rises"),
        ("alerts/quiet", "alerts/quit"),
        ("rate_per_s: 10", "rate_per_s: ten"),
        ("for: 10m", "for: long"),
    )
    with pytest.raises(UsageError) as raised:
        load(path, CATALOGUE)
    lines = [mistake.line for mistake in raised.value.mistakes]
    assert lines == sorted(lines)
    assert {1, 8, 10, 11, 13, 14} <= set(lines)
    assert raised.value.exit_code == 64


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1, 2\nb: 3\n", 2, "expected ',' or ']'"),
        ("- 1\n", 1, "a mapping"),
        ("", 1, "a mapping"),
        ("a: 1\na: 2\n", 2, "duplicate key"),
        ("\tname: x\n", 1, "cannot start any token"),
    ],
)
def test_what_is_no_yaml_mapping_is_one_mistake(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as raised:
        read_page(path)
    assert [mistake.line for mistake in raised.value.mistakes] == [line]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_an_unreadable_file_is_one_mistake(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="expected") as raised:
        load(path, CATALOGUE)
    assert len(raised.value.mistakes) == 1


def test_an_unknown_stack_names_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SCENARIO.replace("STACK", "refrence"))
    with pytest.raises(
        UsageError, match="unknown stack `refrence`; did you mean `reference`. `tocsin ls stacks` lists all"
    ) as raised:
        load(path, CATALOGUE)
    assert raised.value.mistakes[-1].line == 4


def test_the_stack_whose_name_is_a_word_of_yaml_needs_quotation_marks(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SCENARIO.replace("STACK", "null"))
    with pytest.raises(UsageError, match='is written `stack: "null"`, in quotation marks'):
        load(path, CATALOGUE)
    path.write_text(SCENARIO.replace("STACK", '"null"'))
    with pytest.raises(UsageError) as raised:
        load(path, CATALOGUE)
    assert "quotation" not in str(raised.value)


def test_another_stack_can_be_named_outside(tmp_path: Path) -> None:
    other = write_stack(tmp_path / "other")
    _, stack = load(write_scenario(tmp_path), CATALOGUE, str(other))
    assert stack.folder == other


def test_a_broken_stack_file_is_named_by_its_own_line(tmp_path: Path) -> None:
    write_stack(tmp_path, stack="version: 1\nname: x\nroles: {model: {port: 1}}\n")
    with pytest.raises(UsageError) as raised:
        load_stack(str(tmp_path))
    words = str(raised.value)
    keys = "compose, external, fixed_s, local, memory_mib, ports"
    assert f"stack.yaml:3: roles.model.port: unknown key `port`; did you mean `ports`? Known here: {keys}." in words
    assert "`signals`" in words


def test_a_broken_rule_file_is_a_mistake_not_a_crash(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, service="groups: [")
    with pytest.raises(UsageError, match="service.yml"):
        load(path, CATALOGUE)


def test_an_alert_of_a_file_that_is_not_loaded_is_no_mistake(tmp_path: Path) -> None:
    scenario, _ = load(write_scenario(tmp_path, ("alert: HighErrorRate", "alert: FeatureDrift")), CATALOGUE)
    assert scenario.expect[0].args["alert"] == "FeatureDrift"
