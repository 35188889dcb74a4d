"""ready: waits until every canary was seen on every signal; without that, nothing that follows could be believed."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.harness.collectors.collector import Collector
from tocsin.harness.core.errors import StackError, WaitTimeout
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.runner.play import role_died

FIXED_S = 30.0
"""Wall seconds that no speed divides: Prometheus's first scrape, the first dropped alert, a first bulk of logs."""


class NotReady(StackError):
    """A canary was not seen at the far end of a signal; the message names each such signal and its last state."""


def ready(
    live: LiveStack, run: Run, journal: Journal, recorders: Sequence[Collector], *, keep_going: bool, within_s: float
) -> dict[str, bool]:
    """Wait until each recorder has seen its canary; NotReady names those that have not, unless `keep_going`.

    Returns signal -> seen: the checks that rest on a signal that was not seen are unknown. `within_s` (wall seconds)
    can shorten the patience.
    """
    patience_s = max(0.0, min(FIXED_S + 300.0 / run.clock.speed, within_s))
    missing = {recorder.name: "nothing yet" for recorder in recorders}

    def all_seen() -> tuple[bool, str]:
        for role, detail in live.died().items():
            raise role_died(role, detail)
        for recorder in recorders:
            if recorder.name in missing:
                done, missing[recorder.name] = recorder.seen_canary(live, run)
                if done:
                    journal.note("canary", signal=recorder.name, seen=True, detail=missing.pop(recorder.name))
        return not missing, "; ".join(f"{name}: {state}" for name, state in missing.items())

    try:
        run.clock.wait_until(all_seen, awaited="a canary on every signal", within_s=patience_s, every_s=0.1)
    except WaitTimeout as error:
        for name, state in missing.items():
            journal.note("canary", signal=name, seen=False, detail=state)
        if not keep_going:
            raise NotReady(error.message, hint="Repair the signal, or play on with --keep-going.") from None
    signals = {recorder.name: recorder.name not in missing for recorder in recorders}
    journal.note("ready", signals=signals)
    return signals
