"""Runs one drill, from up to record: the stages in their order, and what happens on every way out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from tocsin.harness.collectors import collectors_for
from tocsin.harness.collectors.alerts import AlertsCollector
from tocsin.harness.collectors.collector import Collector
from tocsin.harness.core.errors import BROKEN, INTERRUPTED, PASS, TERMINATED, UNKNOWN, Terminated, TocsinError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.contract import Engine
from tocsin.harness.evidence.evidence import Evidence, SettledWindow, read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.runner import run_record
from tocsin.harness.runner.abort_conditions import Aborted, AbortWatch, prometheus_query
from tocsin.harness.runner.collect import collect
from tocsin.harness.runner.load_control import Sender, end_senders, start_canary, start_traffic
from tocsin.harness.runner.play import Breakage, Playing, Progress, Watch, play
from tocsin.harness.runner.ready import ready
from tocsin.harness.runner.settle import HURRY_S, heal_all, patience_s, settle
from tocsin.harness.traffic.worker_pool import RemoteWorkers

LOAD_ENDS_S = 15.0
"""Wall seconds for the processes that send to end."""


@dataclass(kw_only=True)
class DrillRun:
    """A drill under way: its plan, what was started for it, and how it ends. `deadline`: epoch seconds.

    `outcome` is `completed` with `exit_code` 0 until something ends it early. `hurry`: somebody waits for the end, so
    that signals get less time to catch up.
    """

    timeline: Timeline
    run: Run
    journal: Journal
    watch: Watch
    keep_going: bool
    deadline: float
    remote: RemoteWorkers
    recorders: list[Collector] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    """The processes that send, in the order in which they end."""
    breakages: Mapping[str, Breakage] = field(default_factory=dict)
    outcome: str = "completed"
    exit_code: int = PASS
    hurry: bool = False

    def end_early(self, error: BaseException) -> None:
        """Note what ended the drill, as outcome and exit code; a bug of ours leaves its traceback.

        The stages that are left still happen.
        """
        if isinstance(error, KeyboardInterrupt):
            signal, exit_code = "SIGINT", INTERRUPTED
            if isinstance(error, Terminated):
                signal, exit_code = "SIGTERM", TERMINATED
            self.journal.note("interrupted", signal=signal)
            self._keep(f"interrupted by {signal}", exit_code)
        elif isinstance(error, TocsinError):
            self.journal.note("error", message=str(error))
            self._keep(str(error), error.exit_code, hurry=not isinstance(error, Aborted))
        else:
            self._crash(error)

    def _crash(self, error: BaseException) -> None:
        message = f"{type(error).__name__}: {error}"
        self.journal.note("error", message=message)
        if isinstance(error, OSError):
            self._keep(message, UNKNOWN)
            return
        text = "".join(traceback.format_exception(error))
        (self.run.folder / "traceback.txt").write_text(text, encoding="utf-8")
        self._keep(f"Tocsin itself failed: {message}", BROKEN)

    def _keep(self, outcome: str, exit_code: int, *, hurry: bool = True) -> None:
        """Keep the first reason; a fault left unhealed, or a bug, outweighs it."""
        self.hurry = self.hurry or hurry
        if self.outcome == "completed" or exit_code == BROKEN:
            self.outcome, self.exit_code = outcome, exit_code


def run_drill(
    timeline: Timeline,
    engine: Engine,
    run: Run,
    journal: Journal,
    *,
    command: Sequence[str] = (),
    keep_going: bool = False,
    timeout_s: float | None = None,
    watch: Watch = lambda progress: None,
    remote: RemoteWorkers | None = None,
) -> Evidence:
    """Play one drill on a fresh stack; return its evidence, however it ended: see run["outcome"], ["exit_code"]."""
    content = run_record.describe(timeline, run, command)
    run_record.write(run.folder, content)
    run_record.keep_original(timeline.stack, run.folder)
    run_record.keep_users(timeline.scenario, run.folder)
    journal.note("run_started", run_id=run.id)
    _note_clock(journal)
    drill = DrillRun(
        timeline=timeline,
        run=run,
        journal=journal,
        watch=watch,
        keep_going=keep_going,
        deadline=run.clock.now() + (timeout_s or inf),
        remote=remote or RemoteWorkers(),
    )
    try:
        watch({"stage": "up", "note": f"starting {len(timeline.stack.roles)} servers"})
        with engine.up(timeline, run, journal) as live:
            _on_stack(drill, live)
            watch({"stage": "down", "note": "taking the stack down"})
    except (KeyboardInterrupt, Exception) as error:
        drill.end_early(error)
    finally:
        _note_clock(journal)
        run_record.finish(content, run, drill.outcome, drill.exit_code)
        journal.close()
    return read_evidence(run.folder)


def _note_clock(journal: Journal) -> None:
    journal.note("clock", process="harness", wall=time.time(), monotonic=time.monotonic())


def _on_stack(drill: DrillRun, live: LiveStack) -> None:
    """Ready, play, settle and collect on a stack that is up. Whatever ends play early, the rest still happens."""
    started = drill.run.clock.now()
    try:
        _ready_and_play(drill, live)
    except (KeyboardInterrupt, Exception) as error:
        drill.end_early(error)
    drill.watch({"stage": "settle", "note": "waiting until every signal has caught up"})
    _heal(drill, live)
    _end_load(drill)
    window = _settle(drill, live, Interval(start=started, end=drill.run.clock.now()))
    collect(window, live, drill.run, drill.journal, drill.recorders)


def _ready_and_play(drill: DrillRun, live: LiveStack) -> None:
    timeline, run, journal = drill.timeline, drill.run, drill.journal
    for collector in collectors_for(live.stack.roles):
        recorder = collector()
        recorder.start(live, run, journal)
        drill.recorders.append(recorder)  # one that could not be started has nothing to stop or to collect
    canary = start_canary(timeline, run, live)
    drill.senders.append(canary)
    live.attach_prober(canary)
    traffic = start_traffic(timeline, run, live, remote=drill.remote, note=journal.note)
    drill.senders.insert(0, traffic)
    drill.watch({"stage": "ready", "note": "waiting for a canary on every signal"})
    left_s = drill.deadline - run.clock.now()
    ready(live, run, journal, drill.recorders, keep_going=drill.keep_going, within_s=left_s)
    traffic.ready()
    drill.breakages = {planned.name: Breakage(planned=planned) for planned in timeline.faults}
    with _abort_watch(drill, live) as aborts:
        play(
            Playing(
                timeline=timeline,
                live=live,
                journal=journal,
                clock=run.clock,
                traffic=traffic,
                breakages=drill.breakages,
                watch=_watch_of_play(drill, aborts),
                deadline=drill.deadline,
            )
        )


def _heal(drill: DrillRun, live: LiveStack) -> None:
    """Heal what is left. A first Ctrl-C meanwhile does not stop that; a second one is only answered."""
    for _ in range(2):
        try:
            heal_all(list(drill.breakages.values()), live, drill.journal, drill.run.clock, hurry=drill.hurry)
            return
        except KeyboardInterrupt as error:
            drill.end_early(error)
        except Exception as error:
            drill.end_early(error)
            return


def _end_load(drill: DrillRun) -> None:
    try:
        end_senders(drill.journal, drill.senders, within_s=patience_s(LOAD_ENDS_S, hurry=drill.hurry))
    except (KeyboardInterrupt, Exception) as error:
        drill.end_early(error)
        end_senders(drill.journal, drill.senders, within_s=HURRY_S)


def _settle(drill: DrillRun, live: LiveStack, play_s: Interval) -> SettledWindow:
    """Wait for the signals; a first Ctrl-C meanwhile shortens the wait, and what was seen is still collected."""
    run, journal, recorders = drill.run, drill.journal, drill.recorders
    try:
        return settle(live, run, journal, recorders, play_s, hurry=drill.hurry)
    except KeyboardInterrupt as error:
        drill.end_early(error)
        return settle(live, run, journal, recorders, play_s, hurry=True)


def _abort_watch(drill: DrillRun, live: LiveStack) -> AbortWatch:
    """Return the watch over the abort conditions; a fault that blinds the metrics excuses a missing answer."""
    blinding = [drill.breakages[fault.name] for fault in drill.timeline.faults if "metrics" in dict(fault.blinds)]

    def excused() -> bool:
        return any(breakage.in_force or breakage.awaited is not None for breakage in blinding)

    ask, clock = prometheus_query(live), drill.run.clock
    return AbortWatch(drill.timeline.aborts, ask=ask, clock=clock, journal=drill.journal, excused=excused)


def _watch_of_play(drill: DrillRun, aborts: AbortWatch) -> Watch:
    """Return a watch that adds the alerts that fire now, without the Watchdog; an abort condition may end play."""
    watchdog = drill.timeline.stack.signals.watchdog
    followers = [recorder for recorder in drill.recorders if isinstance(recorder, AlertsCollector)]

    def watch(progress: Progress) -> None:
        aborts.check()
        firing = {name for follower in followers for name in follower.firing}
        if watchdog:
            firing.discard(watchdog.alert)
        drill.watch({**progress, "firing": sorted(firing)})

    return watch
