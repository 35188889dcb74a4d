"""plan: a pure value; places, floors, limits of speed."""

from pathlib import Path

import pytest

from tests.small_stack import CATALOGUE, DRIFT, PROMETHEUS, SERVICE, STACK, write_scenario
from tocsin.harness.core.errors import UsageError
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.planning.loader import load
from tocsin.harness.planning.planner import FASTEST, plan


def planned(
    folder: Path, *changes: tuple[str, str], speed: float = 30, seed: int | None = None, **files: str
) -> Timeline:
    scenario, stack = load(write_scenario(folder, *changes, **files), CATALOGUE)
    return plan(scenario, stack, CATALOGUE, seed, speed)


def test_phases_follow_each_other(tmp_path: Path) -> None:
    timeline = planned(tmp_path)
    assert [(p.name, p.start_s, p.end_s) for p in timeline.phases] == [
        ("baseline", 0, 300),
        ("trouble", 300, 900),
        ("recovery", 900, 1200),
    ]
    assert (timeline.length_s, timeline.wall_s) == (1200, 40)


def test_a_phase_overrides_only_what_it_names(tmp_path: Path) -> None:
    rates = [(p.traffic.rate_per_s, p.traffic.arrivals) for p in planned(tmp_path).phases]
    assert rates == [(100, "poisson"), (100, "poisson"), (10, "poisson")]


WHOLE = "traffic: {rate_per_s: 100, arrivals: {ramp: {to_per_s: 500}}}\ntimeline:"


def test_a_shape_of_the_scenario_runs_over_the_whole_drill(tmp_path: Path) -> None:
    timeline = planned(tmp_path, ("timeline:", WHOLE), (", traffic: {rate_per_s: 10}", ""))
    assert [p.paced.asked.rate_per_s for p in timeline.phases] == [(100, 200), (200, 400), (400, 500)]
    assert [p.paced.asked.length_s for p in timeline.phases] == [10, 20, 10]


def test_a_shape_of_a_phase_begins_with_it(tmp_path: Path) -> None:
    own = ("{rate_per_s: 10}", "{rate_per_s: 10, arrivals: {burst: {to_per_s: 90, for: 1m, at: 2m}}}")
    *_, recovery = planned(tmp_path, own).phases
    assert recovery.paced.asked.t_s == pytest.approx((0, 4, 4, 6, 6, 10))
    assert recovery.paced.asked.rate_per_s == (10, 10, 90, 90, 10, 10)


def test_a_thinned_recording_is_warned_about_once(tmp_path: Path) -> None:
    (tmp_path / "arrivals.txt").write_text("".join(f"{second}\n" for second in range(1200)))
    timeline = planned(tmp_path, ("timeline:", "traffic: {arrivals: {replay: {file: arrivals.txt}}}\ntimeline:"))
    (warning,) = [one for one in timeline.warnings if "recording" in one]
    assert "keeps its rate: at speed 30 it is thinned" in warning
    assert sum(p.paced.asked.total for p in timeline.phases) == pytest.approx(40, abs=25)


def test_steps_are_ordered_and_end_once(tmp_path: Path) -> None:
    steps = [(step.at_s, step.action, step.name) for step in planned(tmp_path).steps]
    assert steps == [
        (0, "phase", "baseline"), (300, "phase", "trouble"), (420, "inject", "failing"), (720, "heal", "failing"),
        (900, "phase", "recovery"), (1200, "end", "end"),
    ]  # fmt: skip


def test_a_fault_without_a_length_lasts_as_long_as_its_phase(tmp_path: Path) -> None:
    timeline = planned(tmp_path, ("at: 2m, for: 5m", "at: 2m"))
    assert [(fault.inject_s, fault.heal_s) for fault in timeline.faults] == [(420, 900)]
    assert [step.action for step in timeline.steps if step.at_s == 900] == ["heal", "phase"]


LOGS = "logs: {role: prometheus, index: a, unparsed: b, id: c, time: d, status: e, files: f}"


@pytest.mark.parametrize(("signals", "blinded"), [("", ("notifications",)), (LOGS, ("logs", "notifications"))])
def test_a_fault_says_what_it_blinds_of_the_signals_that_are_there(
    tmp_path: Path, signals: str, blinded: tuple[str, ...]
) -> None:
    stack = STACK.replace("jobs: {ml: model}", f"jobs: {{ml: model}}\n  {signals}")
    timeline = planned(tmp_path, ("{model_raises: {share: 0.3}, at", "{kill: {role: model}, at"), stack=stack)
    assert timeline.faults[0].blinds == tuple((signal, "model") for signal in blinded)


def test_the_floor_adds_up_what_time_an_alert_needs(tmp_path: Path) -> None:
    floor = planned(tmp_path).floors[0]
    assert floor.parts == {"for": 120}
    assert floor.most == {"scrape": 15, "evaluation": 30, "window": 300, "for": 120, "grouping": 60, "delivery": 3}
    assert (floor.total_s, floor.ceiling_s, floor.bound_s, floor.where) == (120, 528, 360, "trouble")


WARNINGS = [
    (("within: 6m", "within: 1m"), "cannot be seen within 1m: its floor is 1m later"),
    (
        ("alert: HighErrorRate", "alert: FeatureDrift"),
        "FeatureDrift stands in drift.yml, which prometheus.yml does not load",
    ),
    (("within: 6m", "within: 6m"), ""),
]


@pytest.mark.parametrize(("change", "words"), WARNINGS)
def test_a_weak_stack_is_warned_about_and_still_played(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    timeline = planned(tmp_path, change)
    assert words in " ".join(timeline.warnings)
    assert bool(timeline.warnings) == bool(words)
    assert not timeline.limits


LIMITS = [
    (150, {}, ""),
    (151, {}, "the largest honest speed is 150"),
    (300, {"prometheus": PROMETHEUS.replace("15s", "1m")}, ""),
    (301, {"prometheus": PROMETHEUS.replace("15s", "1m")}, "Evaluations every 30 s cannot be closer than 0.1 s"),
    (30, {"service": SERVICE.replace("rate(e[5m]) > 0.05", "hour() > 3")}, "service.yml: `hour()`"),
    (1, {"service": SERVICE.replace("rate(e[5m]) > 0.05", "hour() > 3")}, ""),
    (30, {"drift": DRIFT.replace("drift == 1", "hour() > 3")}, ""),
]


@pytest.mark.parametrize(("speed", "files", "words"), LIMITS)
def test_a_speed_that_is_not_honest_is_named(tmp_path: Path, speed: float, files: dict[str, str], words: str) -> None:
    timeline = planned(tmp_path, speed=speed, **files)
    assert words in " ".join(timeline.limits)
    assert bool(timeline.limits) == bool(words)


def test_the_same_input_gives_the_same_plan(tmp_path: Path) -> None:
    assert planned(tmp_path) == planned(tmp_path)


@pytest.mark.parametrize(("seed", "wanted"), [(None, 0), (5, 5), (0, 0)])
def test_the_seed_can_be_given_outside(tmp_path: Path, seed: int | None, wanted: int) -> None:
    assert planned(tmp_path, seed=seed).seed == wanted


def test_the_fastest_speed_is_the_largest_honest_one(tmp_path: Path) -> None:
    timeline = planned(tmp_path, speed=FASTEST)
    assert (timeline.speed, timeline.largest_speed, timeline.limits) == (150, 150, ())
    assert timeline.limited_by == "scrapes every 15 s cannot be closer than 0.1 s"
    assert timeline.wall_s == 8


def test_the_largest_speed_does_not_depend_on_the_one_asked(tmp_path: Path) -> None:
    assert [planned(tmp_path, speed=speed).largest_speed for speed in (1, 30, 1000)] == [150, 150, 150]


BARE = STACK.replace("prometheus: prometheus/prometheus.yml\nalertmanager: alertmanager/alertmanager.yml\n", "")
UNWATCHED = ("  - alerts/fire: {alert: HighErrorRate, in: trouble, within: 6m, delivered_to: page}\n", "")


def test_a_stack_without_monitoring_is_limited_by_its_phases_alone(tmp_path: Path) -> None:
    timeline = planned(tmp_path, UNWATCHED, speed=FASTEST, stack=BARE)
    assert (timeline.alerts, timeline.floors, timeline.warnings) == ((), (), ())
    assert (timeline.largest_speed, timeline.limited_by) == (300, "the phase baseline of 5m cannot be shorter than 1 s")


def test_an_alert_of_a_stack_without_monitoring_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown alert `HighErrorRate`; known here: none"):
        planned(tmp_path, stack=BARE)
