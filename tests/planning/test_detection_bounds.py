"""Floors and ceilings of what a drill expects, from rules, routes, fault and history."""

import dataclasses
from pathlib import Path

import pytest

from tests.planning.test_planner import planned
from tests.small_stack import ALERTMANAGER, PROMETHEUS, SERVICE, STACK, End
from tocsin.harness.declarations.alert_timing import Fire, Floor
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.faults import make
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.planning.detection_bounds import Plan, fixed_s, since_s

RATIO = 'rate(n_total{s="e"}[5m]) / rate(n_total[5m]) > 0.05'
EXPR = "rate(e[5m]) > 0.05"
DURING = ("in: trouble", "during: failing")
LED = ALERTMANAGER.replace("""'a="b"'""", """'severity="critical"'""").replace(
    "receiver: page,", "receiver: page, group_wait: 1m,"
)


def ratio(expr: str = RATIO, wait: str = "2m") -> str:
    return SERVICE.replace(EXPR, expr).replace("for: 2m", f"for: {wait}")


def floor(folder: Path, *changes: tuple[str, str], speed: float = 30, **files: str) -> Floor:
    return planned(folder, *changes, speed=speed, **files).floors[0]


def test_a_declared_share_decides_how_much_of_the_window_is_needed(tmp_path: Path) -> None:
    found = floor(tmp_path, DURING, service=ratio())
    assert found.parts["window"] == pytest.approx(47.5)
    assert found.most["window"] == pytest.approx(50)
    assert "share of 0.3 against 0.05 over 300 s" in found.note


def test_without_a_declared_share_it_is_optimistic_and_says_so(tmp_path: Path) -> None:
    found = floor(tmp_path, ("model_raises: {share: 0.3}", "kill: {role: model}"), DURING, service=ratio())
    assert (found.parts["window"], found.most["window"]) == (pytest.approx(14.25), 300)
    assert "no share declared" in found.note


@pytest.mark.parametrize(("share", "late_s"), [("0.3", 9), ("0.05", 26.9), ("0.001", 60)])
def test_a_small_share_is_witnessed_late(tmp_path: Path, share: str, late_s: float) -> None:
    found = floor(tmp_path, ("share: 0.3", f"share: {share}"), DURING)
    assert found.parts["witness"] == pytest.approx(-late_s, abs=0.1)
    assert "witness" not in floor(tmp_path / "phase").parts


def test_a_recorded_ratio_is_read_through(tmp_path: Path) -> None:
    service = ratio("ratio > 0.05").replace("expr: 'rate(e[5m])'}", f"expr: '{RATIO.removesuffix(' > 0.05')}'}}")
    assert floor(tmp_path, DURING, service=service).parts["window"] == pytest.approx(47.5)


def test_for_ends_with_an_evaluation(tmp_path: Path) -> None:
    assert floor(tmp_path, service=ratio(wait="45s")).parts["for"] == 60


@pytest.mark.parametrize(
    ("alertmanager", "least", "most"),
    [
        (LED, 0, 60),
        (LED.replace("group_wait: 1m", "group_wait: 2m"), 0, 120),
        (LED.replace("route: {", "route: {group_by: [alertname], "), 60, 60),
        (LED.replace("route: {", "route: {group_by: [...], "), 60, 60),
        (LED.replace("receiver: page,", "receiver: page, group_by: [alertname],", 1), 60, 60),
    ],
)
def test_a_group_of_its_own_waits_and_an_open_one_ticks(
    tmp_path: Path, alertmanager: str, least: float, most: float
) -> None:
    found = floor(tmp_path, alertmanager=alertmanager)
    assert (found.parts.get("grouping", 0), found.most["grouping"]) == (least, most)


def test_another_series_of_the_alert_may_have_opened_the_group(tmp_path: Path) -> None:
    led = LED.replace("route: {", "route: {group_by: [alertname], ").replace("group_interval: 1m", "group_interval: 9m")
    again = (
        "  - alerts/quiet",
        "  - alerts/fire: {alert: HighErrorRate, labels: {a: c}, in: trouble, within: 6m}\n  - alerts/quiet",
    )
    found = floor(tmp_path, again, alertmanager=led)
    assert (found.parts["grouping"], found.most["grouping"]) == (60, 540)


def test_a_restart_is_added_to_ceiling_and_bound(tmp_path: Path) -> None:
    kill = ("model_raises: {share: 0.3}", "kill: {role: model}")
    found = floor(tmp_path, kill, DURING)
    assert (found.fixed_s, found.most["restart"], found.allowed_s) == (60, 60, 420)
    assert floor(tmp_path, kill, DURING, ("within: 6m", "within: 4m")).fixed_s == 0


@pytest.mark.parametrize(
    ("kind", "params", "counts_from", "since", "fixed"),
    [
        ("kill", {"role": "model"}, "begin", (420, 0), {}),  # healed 1m after the bound is over
        ("kill", {"role": "model"}, "end", (780, 60), {"model": 60}),
        ("restart", {"role": "model"}, "begin", (480, 60), {"model": 60}),
        ("restart", {"role": "model"}, "end", (720, 0), {}),
        ("cold_start", {"delay_ms": 300}, "begin", (480, 60), {"model": 60}),
        ("cold_start", {"delay_ms": 300}, "end", (720, 0), {}),
        ("model_raises", {"share": 0.3}, "end", (720, 0), {}),
    ],
)
def test_a_bound_counts_from_when_its_own_restart_is_done(
    tmp_path: Path,
    kind: str,
    params: dict[str, object],
    counts_from: str,
    since: tuple[int, int],
    fixed: dict[str, int],
) -> None:
    """From 7m to 12m; the model takes 2 s to start, a minute of the drill."""
    timeline = planned(tmp_path)
    fault = dataclasses.replace(timeline.faults[0], fault=make(kind, params), params=params)
    plan = Plan(
        scenario=timeline.scenario, stack=timeline.stack, monitoring=read_monitoring(timeline.stack),
        phases=timeline.phases, faults=(fault,), speed=30,
    )  # fmt: skip
    bound = {"begin": Fire, "end": End}[counts_from]
    args = bound.model_validate({"alert": "HighErrorRate", "during": "failing", "within": "4m"})
    assert (since_s(plan, args), fixed_s(plan, args)) == (since, fixed)


WARNED = [
    (
        (DURING,),
        {"service": ratio(RATIO.replace("0.05", "0.4"))},
        "cannot fire: 0.3 of the requests never exceed the threshold of 0.4",
    ),
    (
        (DURING, ("for: 5m}", "for: 1m}")),
        {"service": ratio(RATIO.replace("5m", "1h"))},
        "shorter than its window, so it may come",
    ),
    (((("within: 6m", "within: 1m"),)), {}, "its floor is 1m later"),
    (
        (),
        {"alertmanager": ALERTMANAGER.replace("""'a="b"'""", """'severity="none"'""")},
        "HighErrorRate is not led to page: its routes end at ticket",
    ),
    ((DURING,), {"service": ratio(), "alertmanager": LED}, ""),
]


@pytest.mark.parametrize(("changes", "files", "words"), WARNED)
def test_what_the_stack_cannot_meet_is_warned_about(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], files: dict[str, str], words: str
) -> None:
    timeline = planned(tmp_path, *changes, **files)
    assert words in " ".join(timeline.warnings)
    assert bool(timeline.warnings) == bool(words)


REQUESTS = "requests: {metric: n_total, label: s, answered: g, failed: e, refused: r"
CHECKED = "drift: {score: {metric: a, label: f}, detected: {metric: b, label: f}, checked: {metric: c, every: 30s}"
SIGNALS = {
    "noise": f"{REQUESTS}, failed_share: 0.03}}",
    "sure": f"{REQUESTS}}}",
    "drift": f"{CHECKED}, window: 1m, rows: 20}}",
}


def limited(folder: Path, signal: str, *changes: tuple[str, str], **files: str) -> Timeline:
    stack = STACK.replace("jobs: {ml: model}", f"jobs: {{ml: model}}\n  {SIGNALS[signal]}")
    return planned(folder, *changes, speed=1, stack=stack, **files)


def test_noise_limits_the_speed(tmp_path: Path) -> None:
    """10 per second in recovery: 3 000 requests in 5m against 1 164 needed to tell 3 % from 5 %."""
    timeline = limited(tmp_path, "noise", service=ratio())
    assert timeline.largest_speed == 2
    assert "noise: HighErrorRate needs 1164 requests in 5m" in timeline.limited_by
    assert "recovery sends 10 per second" in timeline.limited_by


def test_a_higher_rate_allows_a_higher_speed(tmp_path: Path) -> None:
    timeline = limited(tmp_path, "noise", ("rate_per_s: 10", "rate_per_s: 100"), service=ratio())
    assert timeline.largest_speed == 25


def test_without_chance_one_stray_failure_must_not_reach_the_threshold(tmp_path: Path) -> None:
    low = ("rate_per_s: 10", "rate_per_s: 2")
    assert limited(tmp_path, "sure", low, service=ratio()).largest_speed == 30


def test_a_drift_check_needs_its_rows(tmp_path: Path) -> None:
    timeline = limited(tmp_path, "drift")
    assert timeline.largest_speed == 30
    assert timeline.limited_by.startswith("drift: a check needs 20 rows in 1m")


RESTARTS = (("model_raises: {share: 0.3}", "kill: {role: model}"), DURING)


def test_a_restart_may_not_outlast_the_bound_nor_the_drill(tmp_path: Path) -> None:
    """The model takes 2 s to start: the bound of 6m is 180 times as long, but only 7m are left after it."""
    timeline = planned(
        tmp_path, *RESTARTS, ("{role: model}, at: 2m, for: 5m", "{role: model}, at: 4m, for: 5m"), speed=1
    )
    assert timeline.largest_speed == 150
    end = ("  - alerts/quiet", "  - alerts/end: {alert: HighErrorRate, during: failing, within: 6m}\n  - alerts/quiet")
    timeline = planned(tmp_path / "end", *RESTARTS, end, speed=1)
    assert timeline.largest_speed == 30  # 2m are left, for the heal that waits for the model and for what it adds
    assert "bound, which begins 2 s later, at any speed, leaves 2m of the drill" in timeline.limited_by
    tight = (*RESTARTS, ("recovery, for: 5m", "recovery, for: 30s"))
    timeline = planned(tmp_path / "tight", *tight, speed=1)
    assert (timeline.largest_speed, "leaves 2m30s of the drill" in timeline.limited_by) == (75, True)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"alertmanager": ALERTMANAGER.replace("receiver: page,", "receiver: page, mute_time_intervals: [night],")},
            "time of day (night)",
        ),
        ({"service": SERVICE.replace(EXPR, "up @ 5 > 0")}, "rules: service.yml: The modifier `@`"),
        (
            {"prometheus": PROMETHEUS + "scrape_configs: [{job_name: fast, scrape_interval: 1s}]"},
            "scrapes of job fast every 1 s",
        ),
    ],
)
def test_what_cannot_be_divided_is_named(tmp_path: Path, files: dict[str, str], words: str) -> None:
    timeline = planned(tmp_path, speed=20, **files)
    assert words in timeline.limited_by
    assert timeline.limits[0].endswith(f"the largest honest speed is {timeline.largest_speed:g}.")


@pytest.mark.parametrize(
    ("argv", "speed", "count", "words"),
    [
        ("", 30, 4, "prometheus keeps --query.lookback-delta at its default of 5m at any speed"),
        ("--query.lookback-delta=7m", 30, 4, "--query.lookback-delta at 7m"),
        ("--query.lookback-delta={duration:5m}", 30, 3, "--rules.alert.resend-delay at its default of 1m"),
        ("", 1, 0, ""),
    ],
)
def test_a_flag_that_is_not_divided_is_warned_about(
    tmp_path: Path, argv: str, speed: float, count: int, words: str
) -> None:
    local = f"prometheus: {{ports: {{http: 9090}}, local: {{program: prometheus, argv: ['{{program}}', '{argv}']}}}}"
    stack = STACK.replace("prometheus: {fixed_s: 0, memory_mib: 50}", local)
    told = [one for one in planned(tmp_path, speed=speed, stack=stack).warnings if "at any speed" in one]
    assert len(told) == count
    assert words in " ".join(told)
