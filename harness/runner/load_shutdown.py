"""Ends the processes that send, and writes down what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal


def end_senders(journal: Journal, senders: Sequence[Any], *, within_s: float) -> None:
    """End the processes that send, and write down what they say they have recorded, and their clocks."""
    for sender in senders:
        if sender is None:
            continue
        with suppress(StackError):
            sender.stop(within_s=within_s)
        for part in sender.parts:
            _account(journal, part)
        _note_delivered(journal, sender)


def _note_delivered(journal: Journal, sender: Any) -> None:
    """Write down the shifts really made beside the declared ones; each worker works out those of all, so one tells."""
    told = (part.done.get("delivered") for part in sender.parts if part.done)
    for phase, shifts in (next(filter(None, told), None) or {}).items():
        for shift in shifts:
            journal.note("payload_delivered", phase=phase, **shift)


def _account(journal: Journal, part: Any) -> None:
    about = {"stream": "requests", "worker": part.worker}
    if part.recorded is None:
        detail = f"the {part.name} process ended before it had written every record"
        journal.note("stream_lost", **about, detail=detail)
    else:
        journal.note("collected", **about, count=part.recorded)
    if part.done and "checked" in part.done:
        looked = {"checked": part.done["checked"], "lacking": part.done["lacking"]}
        journal.note("answers_checked", worker=part.worker, **looked, first=part.done.get("lacking_example", ""))
    for clock in part.clocks:
        journal.note("clock", process=part.name, **clock)
    if part.worker and part.done:
        told = {name: value for name, value in part.done.items() if isinstance(value, int | float)}
        about_clocks = {"wall", "monotonic"}  # noted as `clock` above
        told = {name: value for name, value in told.items() if name not in about_clocks}
        journal.note("traffic_done", **{**told, "worker": part.worker})
