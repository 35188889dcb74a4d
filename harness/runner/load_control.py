"""Starts the processes that send requests, the canary and the load of the drill, ends them, and notes their records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import CLIENTS
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.traffic.load_processes import CanaryProcess, TrafficProcess, WorkerReport
from tocsin.harness.traffic.timeline_load import traffic_plan
from tocsin.harness.traffic.worker_pool import RemoteWorkers, WorkerPool

Sender = CanaryProcess | TrafficProcess
CANARY_TIMEOUT_S = 3.0
"""Wall seconds after which a canary or witness request is given up: a frozen service must not freeze its witness."""
_CLOCK = ("wall", "monotonic")
"""Figures of a `done` event that are noted as `clock`."""


def start_canary(timeline: Timeline, run: Run, live: LiveStack) -> CanaryProcess:
    """Start the canary process, which sends at once: one request a second, more often at high speeds."""
    every_s = min(1.0, max(0.25, 30.0 / timeline.speed))
    plan = {**_sending(timeline, run, live), "every_s": every_s, "timeout_s": CANARY_TIMEOUT_S}
    return CanaryProcess(plan, live.work, live.spawn)


def start_traffic(
    timeline: Timeline, run: Run, live: LiveStack, *, remote: RemoteWorkers, note: Callable[..., object]
) -> TrafficProcess:
    """Start the process, or the master and its workers, that send the load; nothing is sent before its `start`."""
    plan = traffic_plan(timeline, _sending(timeline, run, live, caller=CLIENTS))
    workers = timeline.scenario.traffic.workers
    if workers == 1 and not remote.workers:
        return TrafficProcess(plan, live.work, live.spawn)
    return WorkerPool(plan, live.work, live.spawn, local=workers, remote=remote, note=note)


def _sending(timeline: Timeline, run: Run, live: LiveStack, caller: str | None = None) -> dict[str, object]:
    """Return what every process that sends must know: where to, what, and where to keep its records."""
    payload, folder = timeline.stack.payload, timeline.stack.folder.absolute()
    return {
        "run_id": run.id,
        "address": live.address(payload.role, caller=caller),
        "records": str(run.folder / "requests"),
        "sample": str(folder / payload.rows),
        "reference": str(folder / payload.reference) if payload.reference else None,
        "payload": payload.shape,
        "speed": timeline.speed,
        "tls": payload.tls.below(folder).model_dump(mode="json") if payload.tls else None,
        "timeout_s": 10.0,
        "seed": timeline.seed,
    }


def end_senders(journal: Journal, senders: Sequence[Sender], *, within_s: float) -> None:
    """End each process within so many wall seconds; note the requests it recorded, its shifts and its clocks."""
    for sender in senders:
        with suppress(StackError):
            sender.stop(within_s=within_s)
        for part in sender.parts:
            _note_part(journal, part)
        _note_shifts(journal, sender)


def _note_shifts(journal: Journal, sender: Sender) -> None:
    """Note the shifts really made beside the declared ones. Every worker knows those of all, so the first one tells."""
    for part in sender.parts:
        delivered = part.done and part.done.get("delivered")
        if delivered:
            for phase, shifts in delivered.items():
                for shift in shifts:
                    journal.note("payload_delivered", phase=phase, **shift)
            return


def _note_part(journal: Journal, part: WorkerReport) -> None:
    if part.recorded is None:
        detail = f"the {part.name} process ended before it had written every record"
        journal.note("stream_lost", stream="requests", worker=part.worker, detail=detail)
    else:
        journal.note("collected", stream="requests", worker=part.worker, count=part.recorded)
    done = part.done or {}
    if "checked" in done:
        counts = {"checked": done["checked"], "lacking": done["lacking"], "first": done.get("lacking_example", "")}
        journal.note("answers_checked", worker=part.worker, **counts)
    for clock in part.clocks:
        journal.note("clock", process=part.name, **clock)
    if part.worker and done:
        figures = {name: value for name, value in done.items() if isinstance(value, int | float) and name not in _CLOCK}
        journal.note("traffic_done", **{**figures, "worker": part.worker})
