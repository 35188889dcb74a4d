"""A drill from up to record on stand-ins: whatever ends it, the rest still happens and evidence is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fake_stack import FakeFault, FakeLive, FakeRecorder, FakeTraffic, Rig
from tests.planning.test_planner import planned
from tocsin.harness.collectors.alerts import AlertsCollector
from tocsin.harness.core.errors import HealError, MissingProgram, RoleDied, StackError, Terminated
from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.declarations.stack_signals import WatchdogSignal
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.runner import load_control, pipeline
from tocsin.harness.traffic.worker_pool import RemoteWorkers


class Senders(FakeTraffic):
    """Canary and generator in one, which also can be readied and stopped."""

    name, worker = "traffic-1", 1

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.stopped = 0
        self.recorded: int | None = 0
        self.clocks: list[dict[str, float]] = []
        self.done: dict[str, Any] | None = {"event": "done", "cpu_s": 1.5}

    def ready(self) -> None: ...

    @property
    def parts(self) -> tuple[Any, ...]:
        return (self,)

    def stop(self, within_s: float) -> None:
        self.stopped += 1


class FakeEngine:
    """An engine whose stack is up at once; `error` is raised instead; `downs` counts how often it went down."""

    def __init__(self, live: FakeLive, error: BaseException | None = None) -> None:
        self.live, self.error, self.downs = live, error, 0

    @contextmanager
    def up(self, timeline: Any, run: Any, journal: Any) -> Iterator[Any]:
        if self.error:
            raise self.error
        try:
            self.live.attach_prober = lambda prober: None  # type: ignore[attr-defined]
            yield self.live
        finally:
            self.downs += 1
            journal.note("stack_down")


class Table:
    """One drill on stand-ins."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, fault: FakeFault | None = None, **traffic: Any
    ) -> None:
        self.rig = Rig(folder)
        self.engine = FakeEngine(self.rig.live)
        self.fault = fault or FakeFault("present", "absent")
        self.recorder = FakeRecorder("metrics")
        self.recorder.start = lambda live, run, journal: None  # type: ignore[attr-defined]
        self.recorders: list[Any] = [self.recorder]
        self.traffic, self.canary = Senders(**traffic), Senders()
        monkeypatch.setattr(
            pipeline, "collectors_for", lambda roles: tuple((lambda recorder=each: recorder) for each in self.recorders)
        )
        monkeypatch.setattr(pipeline, "start_canary", lambda timeline, run, live: self.canary)
        monkeypatch.setattr(pipeline, "start_traffic", lambda timeline, run, live, **more: self.traffic)
        timeline = planned(folder)
        self.timeline = replace(timeline, faults=tuple(replace(each, fault=self.fault) for each in timeline.faults))

    def run(self, **more: Any) -> Evidence:
        return pipeline.run_drill(
            self.timeline, self.engine, self.rig.run, self.rig.journal, command=["tocsin", "run"], **more
        )


def test_a_drill_that_plays_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    evidence = table.run()
    assert (evidence.run["outcome"], evidence.run["exit_code"]) == ("completed", 0)
    assert (table.engine.downs, table.traffic.stopped, table.canary.stopped) == (1, 1, 1)
    assert list(evidence.phases) == ["baseline", "trouble", "recovery"]
    fault = evidence.faults["failing"]
    assert None not in (fault.injected_at, fault.effective_at, fault.healed_at, fault.gone_at)
    assert fault.injected_at <= fault.effective_at < fault.healed_at <= fault.gone_at  # type: ignore[operator]
    assert [fact.fact for fact in evidence.journal][-2:] == ["stack_down", "clock"]


def test_what_the_senders_recorded_is_written_down_and_every_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(tmp_path, monkeypatch)
    table.traffic.recorded, table.canary.recorded = 7, None
    shift = {"feature": "f1", "declared": 0.5, "achieved": 0.48}
    table.traffic.done = {"event": "done", "cpu_s": 1.5, "checked": 5, "lacking": 1, "delivered": {"trouble": [shift]}}
    table.traffic.clocks = [{"wall": 5000.0, "monotonic": 4.0}]
    evidence = table.run()
    (kept,) = [fact.more for fact in evidence.facts("collected") if fact.more["stream"] == "requests"]
    assert kept == {"stream": "requests", "worker": 1, "count": 7}
    done, *_ = evidence.facts("traffic_done")
    assert done.more == {"worker": 1, "cpu_s": 1.5, "checked": 5, "lacking": 1}
    (checked,) = evidence.facts("answers_checked")
    assert checked.more == {"worker": 1, "checked": 5, "lacking": 1, "first": ""}
    (delivered,) = evidence.facts("payload_delivered")
    assert delivered.more == {"phase": "trouble", **shift}
    (lost,) = evidence.facts("stream_lost")
    assert lost.more["stream"] == "requests"
    clocks = [(fact.more["process"], fact.more["wall"], fact.monotonic) for fact in evidence.facts("clock")]
    assert [process for process, *_ in clocks] == ["harness", "traffic-1", "harness"]
    assert clocks[1] == ("traffic-1", 5000.0, 4.0)


def test_a_recorder_that_could_not_start_is_neither_stopped_nor_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(tmp_path, monkeypatch)

    def start(live: Any, run: Any, journal: Any) -> None:
        raise OSError("no route")

    table.recorder.start = start  # type: ignore[attr-defined]
    evidence = table.run()
    assert (evidence.run["outcome"], table.recorder.calls) == ("OSError: no route", [])
    assert [fact.more["message"] for fact in evidence.facts("error")] == ["OSError: no route"]


@pytest.mark.parametrize("where", ["caught_up", "heal"])
def test_a_signal_while_it_settles_costs_no_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    table = Table(tmp_path, monkeypatch)
    signals = [KeyboardInterrupt()]
    settle, heal_all = pipeline.settle, pipeline.heal_all

    def interrupted(step: Any) -> Any:
        def once(*args: Any, **more: Any) -> Any:
            if signals:
                raise signals.pop()
            return step(*args, **more)

        return once

    if where == "heal":
        monkeypatch.setattr(pipeline, "heal_all", interrupted(heal_all))
    else:
        monkeypatch.setattr(pipeline, "settle", interrupted(settle))
    evidence = table.run()
    assert evidence.run["exit_code"] == 130
    assert "collect" in table.recorder.calls
    assert (table.traffic.stopped, table.canary.stopped) == (1, 1)
    assert [fact.more["worker"] for fact in evidence.facts("collected") if "worker" in fact.more] == [1, 1]


ENDINGS = [
    (KeyboardInterrupt(), "interrupted by SIGINT", 130),
    (Terminated(), "interrupted by SIGTERM", 143),
    (RoleDied("model ended."), "model ended.", 2),
    (StackError("The drill ran past its --timeout."), "The drill ran past its --timeout.", 2),
    (OSError(28, "No space left on device"), "No space left", 2),
    (ZeroDivisionError("division by zero"), "Tocsin itself failed: ZeroDivisionError", 70),
]


@pytest.mark.parametrize(("error", "outcome", "code"), ENDINGS, ids=[type(error).__name__ for error, *_ in ENDINGS])
def test_whatever_ends_play_it_is_healed_collected_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, outcome: str, code: int
) -> None:
    table = Table(tmp_path, monkeypatch, error=error, after=200)
    evidence = table.run()
    assert outcome in evidence.run["outcome"]
    assert evidence.run["exit_code"] == code
    assert "heal" in table.fault.calls
    assert "collect" in table.recorder.calls
    assert (table.engine.downs, table.traffic.stopped, table.canary.stopped) == (1, 1, 1)
    assert evidence.run["finished_at"]
    assert (tmp_path / "traceback.txt").exists() == (code == 70)


@pytest.mark.parametrize(
    ("error", "code"),
    [(MissingProgram("prometheus was not found."), 2), (KeyboardInterrupt(), 130), (ValueError("x"), 70)],
)
def test_a_stack_that_does_not_come_up_leaves_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    table = Table(tmp_path, monkeypatch)
    table.engine.error = error
    evidence = table.run()
    assert (evidence.run["exit_code"], evidence.play, evidence.phases) == (code, None, {})


def test_what_cannot_be_healed_outweighs_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch, fault=FakeFault("present"), error=KeyboardInterrupt(), after=200)
    evidence = table.run()
    assert evidence.run["exit_code"] == 70
    assert "Not healed: failing" in evidence.run["outcome"]


def test_a_silent_signal_stops_before_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    table.recorder.seen_after = None
    evidence = table.run()
    assert evidence.run["exit_code"] == 2
    assert "metrics is silent" in evidence.run["outcome"]
    assert table.traffic.started is None


def test_keep_going_plays_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    table.recorder.seen_after = None
    assert table.run(keep_going=True).run["outcome"] == "completed"


def test_the_timeout_counts_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    evidence = table.run(timeout_s=5.0)
    assert "--timeout" in evidence.run["outcome"]
    assert table.rig.clock.now() < 1000 + 5 + 5


def test_run_json_says_running_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.harness.evidence.evidence import read_evidence

    table, outcomes = Table(tmp_path, monkeypatch), []
    table.run(watch=lambda update: outcomes.append(read_evidence(tmp_path).run["outcome"]))
    assert set(outcomes) == {"running"}


def test_the_generator_is_told_wall_seconds_and_the_rates_asked(tmp_path: Path) -> None:
    plan = load_control.traffic_plan(planned(tmp_path), {"run_id": "r"})
    assert [(p["start_s"], p["end_s"], p["asked"]["rate_per_s"]) for p in plan["phases"]] == [
        (0, 10, [100, 100]),
        (10, 30, [100, 100]),
        (30, 40, [10, 10]),
    ]
    assert plan["phases"][1]["payload"] == {"shift": "mean", "features": ["f1"], "by_sd": 0.5}


def test_the_live_view_is_told_what_fires_but_for_the_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeAlerts(FakeRecorder, AlertsCollector):
        firing = ("Watchdog", "HighErrorRate")

        def start(self, live: Any, run: Any, journal: Any) -> None: ...

    table, seen = Table(tmp_path, monkeypatch), []
    table.recorders.append(FakeAlerts("alerts"))
    watchdog = table.timeline.stack.signals.model_copy(
        update={"watchdog": WatchdogSignal(alert="Watchdog", receiver="w", every="1m")}
    )
    table.timeline = replace(table.timeline, stack=table.timeline.stack.model_copy(update={"signals": watchdog}))
    table.run(watch=seen.append)
    assert {tuple(update["firing"]) for update in seen if update["stage"] == "play"} == {("HighErrorRate",)}


@pytest.mark.parametrize(
    ("workers", "remote", "local"), [(1, 0, None), (1, 2, 1), (3, 0, 3)], ids=["one", "one and elsewhere", "three"]
)
def test_one_worker_here_needs_no_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, remote: int, local: int | None
) -> None:
    started: list[dict[str, Any]] = []
    for name in ("TrafficProcess", "WorkerPool"):
        monkeypatch.setattr(load_control, name, lambda plan, work, spawn, **more: started.append(more))
    rig, elsewhere = Rig(tmp_path), RemoteWorkers(workers=remote)
    timeline = planned(tmp_path, ("timeline:", f"traffic: {{workers: {workers}}}\ntimeline:"))
    live: Any = SimpleNamespace(work=tmp_path, spawn=None, address=lambda role, caller: "127.0.0.1:1")
    load_control.start_traffic(timeline, rig.run, live, remote=elsewhere, note=rig.journal.note)
    pool = {"local": local, "remote": elsewhere, "note": rig.journal.note}
    assert started == [{} if local is None else pool]


def test_an_abort_condition_ends_play_and_everything_is_healed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    abort = Abort.model_validate({"when": "error_ratio > 0.5"})
    table.timeline = replace(table.timeline, aborts=((abort, "error_ratio > 0.5"),))
    monkeypatch.setattr(
        pipeline, "prometheus_query", lambda live: lambda expr: [(0.7, "")] if table.fault.calls else []
    )
    monkeypatch.setattr("tocsin.harness.runner.abort_conditions.EVERY_S", 0.001)
    monkeypatch.setattr(table.rig.clock, "sleep", real(table.rig.clock.sleep))
    evidence = table.run()
    said = "The drill was aborted: `error_ratio > 0.5` held for 0s, at 0.7."
    assert (evidence.run["outcome"], evidence.run["exit_code"]) == (said, 2)
    assert not evidence.facts("play_ended")
    fault = evidence.faults["failing"]
    assert None not in (fault.injected_at, fault.healed_at, fault.gone_at)
    assert table.traffic.stopped == 1, "evidence is collected as ever"


def real(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """Return a sleep of a fake clock that lets other threads run meanwhile."""

    def slept(seconds: float) -> None:
        time.sleep(0.001)
        sleep(seconds)

    return slept


def test_a_fault_that_cannot_be_healed_is_named_and_the_others_are_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(FakeFault):
        def heal(self, live: Any) -> None:
            raise HealError("the hook refused")

    table = Table(tmp_path, monkeypatch)
    faults = {"failing": Stuck("present"), "other": FakeFault("present", "absent")}
    one = table.timeline.faults[0]
    steps = [*table.timeline.steps, *(replace(s, name="other") for s in table.timeline.steps if s.action == "inject")]
    steps.sort(key=lambda step: step.at_s)
    named = tuple(replace(one, name=name, fault=fault) for name, fault in faults.items())
    table.timeline = replace(table.timeline, faults=named, steps=tuple(steps))
    evidence = table.run()
    assert (evidence.run["outcome"], evidence.run["exit_code"]) == (
        "Not healed: failing (the hook refused). The stack goes down with it.",
        70,
    )
    assert evidence.faults["other"].healed_at is not None


def test_a_ctrl_c_while_healing_does_not_stop_the_healing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(FakeFault):
        def heal(self, live: Any) -> None:
            super().heal(live)
            if self.calls.count("heal") == 1:
                raise KeyboardInterrupt

    table = Table(tmp_path, monkeypatch, fault=Interrupted("present", "absent"), error=StackError("gone"), after=200)
    evidence = table.run()
    assert table.fault.calls.count("heal") == 2
    assert evidence.faults["failing"].healed_at is not None
    assert evidence.facts("interrupted")
