"""One drill, from up to record: the stages in their order, and what happens on every way out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import CLIENTS
from tocsin.harness.evidence.evidence import Evidence, read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.faults import make
from tocsin.harness.runner import run_record
from tocsin.harness.runner.abort import AbortWatch, asking
from tocsin.harness.runner.collect import collect
from tocsin.harness.runner.load_shutdown import end_senders
from tocsin.harness.runner.outcome import Ending
from tocsin.harness.runner.play import Breakage, Playing, play
from tocsin.harness.runner.ready import ready
from tocsin.harness.runner.settle import heal_all, settle
from tocsin.harness.traffic.timeline_load import traffic_plan
from tocsin.harness.traffic.worker_pool import Remote

CANARY_TIMEOUT_S = 3.0
"""Wall seconds after which a canary or witness request is given up: a frozen service must not freeze its witness."""
Watch = Callable[[Mapping[str, Any]], None]


@dataclass(kw_only=True)
class Drill:
    """A drill under way: what it plays on and with."""

    timeline: Timeline
    run: Any
    journal: Journal
    watch: Watch
    keep_going: bool
    deadline: float | None
    remote: Remote = field(default_factory=Remote)


def run_drill(
    timeline: Timeline,
    engine: Any,
    run: Any,
    journal: Journal,
    *,
    command: Sequence[str] = (),
    keep_going: bool = False,
    timeout_s: float | None = None,
    watch: Watch = lambda update: None,
    remote: Remote | None = None,
) -> Evidence:
    """Play one drill on a fresh stack; return its evidence, however it ended: see run["outcome"], ["exit_code"]."""
    content = run_record.describe(timeline, run, command)
    run_record.write(run.folder, content)
    run_record.keep_original(timeline.stack, run.folder)
    run_record.keep_users(timeline.scenario, run.folder)
    journal.note("run_started", run_id=run.id)
    _note_clock(journal)
    deadline = run.clock.now() + timeout_s if timeout_s else None
    drill = Drill(
        timeline=timeline,
        run=run,
        journal=journal,
        watch=watch,
        keep_going=keep_going,
        deadline=deadline,
        remote=remote or Remote(),
    )
    ending = Ending()
    try:
        watch({"stage": "up", "note": f"starting {len(timeline.stack.roles)} servers"})
        with engine.up(timeline, run, journal) as live:
            _on_stack(drill, live, ending)
            watch({"stage": "down", "note": "taking the stack down"})
    except (KeyboardInterrupt, Exception) as error:
        ending.name(error, run, journal)
    finally:
        _note_clock(journal)
        journal.note("stack_down")
        run_record.finish(content, run, ending.outcome, ending.exit_code)
        journal.close()
    return read_evidence(run.folder)


def _note_clock(journal: Journal) -> None:
    journal.note("clock", process="harness", wall=time.time(), monotonic=time.monotonic())


def _on_stack(drill: Drill, live: Any, ending: Ending) -> None:
    """Ready, play, settle, collect on a stack that is up. What ends play early is named, and the rest still happens."""
    from tocsin.harness.collectors import chosen

    timeline, run, journal = drill.timeline, drill.run, drill.journal
    recorders: list[Any] = []
    breakages = {fault.name: _breakage(fault) for fault in timeline.faults}
    canary = traffic = None
    started = run.clock.now()
    try:
        for collector in chosen(live.stack.roles):
            recorder = collector()
            recorder.start(live, run, journal)
            recorders.append(recorder)  # one that could not be started has nothing to stop or to collect
        canary = _canary(drill, live)
        live.attach_prober(canary)
        traffic = _traffic(drill, live)
        drill.watch({"stage": "ready", "note": "waiting for a canary on every signal"})
        left_s = None if drill.deadline is None else drill.deadline - run.clock.now()
        ready(live, run, journal, recorders, run.clock, keep_going=drill.keep_going, within_s=left_s)
        traffic.ready()
        with _aborts(drill, live, breakages) as aborts:
            watch = _watching(drill, recorders, aborts.check)
            play(Playing(timeline=timeline, live=live, journal=journal, clock=run.clock, traffic=traffic,
                         breakages=breakages, watch=watch, deadline=drill.deadline))  # fmt: skip
    except (KeyboardInterrupt, Exception) as error:
        ending.name(error, run, journal)
    drill.watch({"stage": "settle", "note": "waiting until every signal has caught up"})
    _heal(drill, breakages, live, ending)
    try:
        end_senders(journal, (traffic, canary), within_s=3.0 if ending.hurry else 15.0)
    except (KeyboardInterrupt, Exception) as error:
        ending.name(error, run, journal)
        end_senders(journal, (traffic, canary), within_s=3.0)
    play_s = Interval(start=started, end=run.clock.now())
    try:
        window = settle(live, run, journal, recorders, run.clock, play_s, hurry=ending.hurry)
    except KeyboardInterrupt as error:  # what was seen until then is still collected
        ending.name(error, run, journal)
        window = settle(live, run, journal, recorders, run.clock, play_s, hurry=True)
    collect(window, live, run, journal, recorders)


def _heal(drill: Drill, breakages: Mapping[str, Breakage], live: LiveStack, ending: Ending) -> None:
    """Heal what is left; a first Ctrl-C that comes meanwhile does not stop that (a second one is only answered)."""
    for _ in range(2):
        try:
            heal_all(list(breakages.values()), live, drill.journal, drill.run.clock, hurry=ending.hurry)
        except KeyboardInterrupt as error:
            ending.name(error, drill.run, drill.journal)
        except Exception as error:
            ending.name(error, drill.run, drill.journal)
            return
        else:
            return


def _aborts(drill: Drill, live: LiveStack, breakages: Mapping[str, Breakage]) -> AbortWatch:
    """Return the watch over the abort conditions; a fault that blinds the metrics may keep it from an answer."""
    blinding = [breakages[fault.name] for fault in drill.timeline.faults if "metrics" in dict(fault.blinds)]

    def excused() -> bool:
        return any(one.injected and (not one.healed or one.awaited is not None) for one in blinding)

    return AbortWatch(
        drill.timeline.aborts, ask=asking(live), clock=drill.run.clock, journal=drill.journal, excused=excused
    )


def _watching(drill: Drill, recorders: Sequence[Any], check: Callable[[], None]) -> Watch:
    """Return a watch that adds the names of the alerts that fire now, without the Watchdog; `check` may end play."""
    watchdog = drill.timeline.stack.signals.watchdog
    always = {watchdog.alert} if watchdog else set()

    def watch(update: Mapping[str, Any]) -> None:
        check()
        firing = {name for recorder in recorders for name in getattr(recorder, "firing", ())}
        drill.watch({**update, "firing": sorted(firing - always)})

    return watch


def _breakage(fault: Any) -> Breakage:
    return Breakage(name=fault.name, fault=make(fault.kind, fault.params))


def _sending(drill: Drill, live: LiveStack, caller: str | None = None) -> dict[str, Any]:
    payload, folder = drill.timeline.stack.payload, drill.timeline.stack.folder.absolute()
    return {
        "run_id": drill.run.id,
        "address": live.address(payload.role, caller=caller),
        "records": str(drill.run.folder / "requests"),
        "sample": str(folder / payload.rows),
        "reference": str(folder / payload.reference) if payload.reference else None,
        "payload": payload.shape,
        "speed": drill.timeline.speed,
        "tls": payload.tls.below(folder).model_dump(mode="json") if payload.tls else None,
        "timeout_s": 10.0,
        "seed": drill.timeline.seed,
    }


def _canary(drill: Drill, live: LiveStack) -> Any:
    from tocsin.harness.traffic.load_processes import CanaryProcess

    every_s = min(1.0, max(0.25, 30.0 / drill.timeline.speed))
    plan = {**_sending(drill, live), "every_s": every_s, "timeout_s": CANARY_TIMEOUT_S}
    return CanaryProcess(plan, live.work, live.spawn)


def _traffic(drill: Drill, live: LiveStack) -> Any:
    from tocsin.harness.traffic.load_processes import TrafficProcess
    from tocsin.harness.traffic.worker_pool import TrafficCrew

    plan, local = traffic_plan(drill.timeline, _sending(drill, live, CLIENTS)), drill.timeline.scenario.traffic.workers
    if local == 1 and not drill.remote.workers:
        return TrafficProcess(plan, live.work, live.spawn)
    return TrafficCrew(plan, live.work, live.spawn, local=local, remote=drill.remote, note=drill.journal.note)
