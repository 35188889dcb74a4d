"""Ends the processes that send requests, and notes what they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.traffic.load_processes import CanaryProcess, TrafficProcess, WorkerReport

Sender = CanaryProcess | TrafficProcess
_CLOCK = ("wall", "monotonic")
"""Figures of a `done` event that are noted as `clock`."""


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
