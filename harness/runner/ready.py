"""ready: before any load, every canary must be seen on every signal, or nothing that follows could be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError, WaitTimeout
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack

FIXED_S = 30.0
"""Wall seconds that no speed divides: Prometheus's first scrape, the first dropped alert, a first bulk of logs."""


class NotReady(StackError):
    """A canary did not come out at the far end; the message names each signal and the last state seen."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Signal -> seen before play. A signal not seen makes the checks that rest on it unknown."""

    signals: Mapping[str, bool]


def ready(
    live: LiveStack,
    run: Any,
    journal: Journal,
    recorders: Sequence[Any],
    clock: Clock,
    *,
    keep_going: bool,
    within_s: float | None = None,
) -> Baseline:
    """Wait until each recorder has seen its canary; NotReady names those that have not, unless `keep_going`.

    `within_s` shortens the patience, in wall seconds.
    """
    patience_s = FIXED_S + 300.0 / clock.speed
    patience_s = patience_s if within_s is None else max(min(patience_s, within_s), 0.0)
    seen: dict[str, bool] = dict.fromkeys((recorder.name for recorder in recorders), False)
    states: dict[str, str] = dict.fromkeys(seen, "nothing yet")

    def all_seen() -> tuple[bool, str]:
        for role, detail in live.died().items():
            raise RoleDied(detail, hint=f"See stack-logs/{role}.log.")
        for recorder in recorders:
            if not seen[recorder.name]:
                done, states[recorder.name] = recorder.seen_canary(live, run)
                if done:
                    seen[recorder.name] = True
                    journal.note("canary", signal=recorder.name, seen=True, detail=states[recorder.name])
        missing = [f"{name}: {states[name]}" for name, done in seen.items() if not done]
        return not missing, "; ".join(missing)

    try:
        clock.wait_until(all_seen, awaited="a canary on every signal", within_s=patience_s, every_s=0.1)
    except WaitTimeout as error:
        for name, done in seen.items():
            if not done:
                journal.note("canary", signal=name, seen=False, detail=states[name])
        if not keep_going:
            raise NotReady(error.message, hint="Mend the signal, or play on with --keep-going.") from None
    journal.note("ready", signals=seen)
    return Baseline(signals=seen)
