"""Abort conditions: PromQL expressions asked of the stack's Prometheus while a drill plays, which end it.

They are asked in a thread, so that a Prometheus that does not answer holds nothing up, and told to play by `check`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import requests

from tocsin.harness.core.clock import Clock, format_duration
from tocsin.harness.core.errors import UNKNOWN, TocsinError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.declarations.live_stack import LiveStack

EVERY_S = 0.5
"""Wall seconds between two questions."""
BLIND_S = 15.0
"""Wall seconds that a condition may go without an answer, unless a fault of the drill keeps Prometheus from it."""
_TIMEOUT_S = 3
Seen = tuple[float, str]
"""A value and the labels of its series, in words."""


class Aborted(TocsinError):
    """A drill ended by one of its own abort conditions, or by one that cannot be evaluated; no answer is possible."""

    exit_code: ClassVar[int] = UNKNOWN


class NotAsked(TocsinError):
    """Prometheus says that an expression cannot be evaluated."""


@dataclass(kw_only=True)
class _State:
    abort: Abort
    expr: str
    since: float | None = None
    answered_at: float = 0.0


class AbortWatch:
    """Asks every condition again and again while entered; `check` raises what was found.

    `conditions` are (as written, as evaluated at this speed). `excused` tells whether a fault of the drill keeps
    Prometheus from answering now. `ask` returns (value, labels) of what an expression has for a result; ConnectionError
    where nobody answers, NotAsked where the expression is refused.
    """

    def __init__(
        self,
        conditions: Sequence[tuple[Abort, str]],
        *,
        ask: Callable[[str], list[Seen]],
        clock: Clock,
        journal: Journal,
        excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._states = [_State(abort=abort, expr=expr) for abort, expr in conditions]
        self._ask, self._clock, self._journal, self._excused = ask, clock, journal, excused
        self._found: Aborted | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aborts", daemon=True)

    def __enter__(self) -> AbortWatch:
        for state in self._states:
            state.answered_at = self._clock.now()
        if self._states:
            self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S + 1)

    def check(self) -> None:
        """Raise Aborted once a condition has held for as long as it says."""
        if self._found is not None:
            raise self._found

    def once(self) -> None:
        """Ask every condition now."""
        for state in self._states:
            if self._found is None:
                self._found = self._look(state)

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S) and self._found is None:
            self.once()

    def _look(self, state: _State) -> Aborted | None:
        """Return how a condition ends the drill, None if it does not (yet)."""
        when, now = state.abort.when, self._clock.now()
        try:
            found = self._ask(state.expr)
        except NotAsked as error:
            return self._told(when, f"The abort condition `{when}` cannot be evaluated: {error.message}")
        except Exception as error:  # whatever its client raises: no answer
            return self._silent(state, now, f"{type(error).__name__}: {error}")
        now = self._clock.now()
        state.answered_at = now
        if not found:
            state.since = None
            return None
        state.since = now if state.since is None else state.since
        held_s = (now - state.since) * self._clock.speed
        if held_s < state.abort.lasts:
            return None
        value, labels = max(found)
        told = f"The drill was aborted: `{when}` held for {format_duration(round(held_s))}, at {value:g}{labels}"
        return self._told(when, told, value=value, labels=labels, held_s=round(held_s, 1))

    def _silent(self, state: _State, now: float, error: str) -> Aborted | None:
        if self._excused():
            state.answered_at = now
            return None
        silent_s = now - state.answered_at
        if silent_s < BLIND_S:
            return None
        when = state.abort.when
        told = f"The abort condition `{when}` could not be evaluated for {silent_s:.0f} s (wall): {error[:200]}"
        return self._told(when, told)

    def _told(self, when: str, sentence: str, **figures: Any) -> Aborted:
        self._journal.note("aborted", when=when, detail=sentence, **figures)
        return Aborted(f"{sentence.rstrip('.')}.")


def asking(live: LiveStack) -> Callable[[str], list[Seen]]:
    """Return a function that evaluates an expression at the stack's Prometheus now; see AbortWatch."""
    session = requests.Session()

    def ask(expr: str) -> list[Seen]:
        url = f"http://{live.address('prometheus')}/api/v1/query"
        answer = session.get(url, params={"query": expr}, timeout=_TIMEOUT_S)
        if answer.status_code in (400, 422):
            raise NotAsked(str(answer.json().get("error", answer.text))[:300])
        answer.raise_for_status()
        return held(answer.json()["data"])

    return ask


def held(found: Any) -> list[Seen]:
    """Return the values and labels of a query's result for which the condition holds: each sample, a number but 0."""
    if found["resultType"] == "scalar":
        value = float(found["result"][1])
        return [(value, "")] if value else []
    return [(float(one["value"][1]), _labels(one["metric"])) for one in found["result"]]


def _labels(metric: dict[str, str]) -> str:
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()) if name != "__name__")
    return f" for {metric.get('__name__', '')}{{{inner}}}" if inner else ""
