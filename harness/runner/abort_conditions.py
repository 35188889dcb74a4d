"""Abort conditions: PromQL expressions that end a drill. The stack's Prometheus evaluates them while it plays.

A thread asks, so that a Prometheus that does not answer delays nothing; `check` passes the result on to play.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from tocsin.harness.core import http
from tocsin.harness.core.clock import Clock, format_duration
from tocsin.harness.core.errors import UNKNOWN, TocsinError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.declarations.stack_interface import Addresses

EVERY_S = 0.5
"""Wall seconds between two questions."""
BLIND_S = 15.0
"""Wall seconds that a condition may go without an answer, unless a fault of the drill cuts Prometheus off."""
_TIMEOUT_S = 3
Sample = tuple[float, str]
"""A value and the labels of its series, in words."""


class Aborted(TocsinError):
    """A drill was ended by one of its abort conditions, or by one that cannot be evaluated; no answer is possible."""

    exit_code: ClassVar[int] = UNKNOWN


class NotEvaluated(TocsinError):
    """Prometheus refuses to evaluate an expression; the message is its own."""


@dataclass(kw_only=True)
class _Condition:
    """An abort condition, when it began to hold, and when Prometheus last answered (epoch seconds)."""

    abort: Abort
    expr: str
    holds_since: float | None = None
    answered_at: float = 0.0


class AbortWatch:
    """Evaluates every condition again and again while entered; `check` raises once one ends the drill.

    `conditions` are (as written, its expression at this speed). `excused` tells whether a fault of the drill cuts
    Prometheus off now. `ask` returns the samples for which an expression holds; it raises NotEvaluated where Prometheus
    refuses the expression, and any other error where nobody answers.
    """

    def __init__(
        self,
        conditions: Sequence[tuple[Abort, str]],
        *,
        ask: Callable[[str], list[Sample]],
        clock: Clock,
        journal: Journal,
        excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._conditions = [_Condition(abort=abort, expr=expr) for abort, expr in conditions]
        self._ask, self._clock, self._journal, self._excused = ask, clock, journal, excused
        self._aborted: Aborted | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aborts", daemon=True)

    def __enter__(self) -> AbortWatch:
        for condition in self._conditions:
            condition.answered_at = self._clock.now()
        if self._conditions:
            self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S + 1)

    def check(self) -> None:
        """Raise Aborted once a condition has held for as long as it says."""
        if self._aborted is not None:
            raise self._aborted

    def once(self) -> None:
        """Evaluate every condition now."""
        for condition in self._conditions:
            if self._aborted is None:
                self._aborted = self._evaluate(condition)

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S) and self._aborted is None:
            self.once()

    def _evaluate(self, condition: _Condition) -> Aborted | None:
        """Return how a condition ends the drill, None if it does not (yet)."""
        when, asked_at = condition.abort.when, self._clock.now()
        try:
            samples = self._ask(condition.expr)
        except NotEvaluated as error:
            return self._abort(when, f"The abort condition `{when}` cannot be evaluated: {error.message}")
        except Exception as error:  # whatever the client raises: no answer
            return self._unanswered(condition, asked_at, f"{type(error).__name__}: {error}")
        condition.answered_at = self._clock.now()
        if not samples:
            condition.holds_since = None
            return None
        if condition.holds_since is None:
            condition.holds_since = condition.answered_at
        held_s = (condition.answered_at - condition.holds_since) * self._clock.speed
        if held_s < condition.abort.lasts:
            return None
        value, labels = max(samples)
        sentence = f"The drill was aborted: `{when}` held for {format_duration(round(held_s))}, at {value:g}{labels}"
        return self._abort(when, sentence, value=value, labels=labels, held_s=round(held_s, 1))

    def _unanswered(self, condition: _Condition, asked_at: float, error: str) -> Aborted | None:
        if self._excused():
            condition.answered_at = asked_at
            return None
        silent_s = asked_at - condition.answered_at
        if silent_s < BLIND_S:
            return None
        when = condition.abort.when
        sentence = f"The abort condition `{when}` could not be evaluated for {silent_s:.0f} s (wall): {error[:200]}"
        return self._abort(when, sentence)

    def _abort(self, when: str, sentence: str, **figures: object) -> Aborted:
        self._journal.note("aborted", when=when, detail=sentence, **figures)
        return Aborted(f"{sentence.rstrip('.')}.")


def prometheus_query(live: Addresses) -> Callable[[str], list[Sample]]:
    """Return a function that evaluates an expression at the stack's Prometheus now; see AbortWatch."""

    def ask(expr: str) -> list[Sample]:
        path = f"/api/v1/query?{urlencode({'query': expr})}"
        status, text = http.call("GET", live.address("prometheus"), path, within_s=_TIMEOUT_S)
        if status in (400, 422):
            raise NotEvaluated(str(json.loads(text).get("error", text))[:300])
        if status != 200:
            raise ConnectionError(f"Prometheus answers {status}")
        return holding(json.loads(text)["data"])

    return ask


def holding(answer: Mapping[str, Any]) -> list[Sample]:
    """Return the samples of a query's answer for which the condition holds: each series, or a scalar other than 0."""
    if answer["resultType"] != "scalar":
        return [(float(series["value"][1]), _labels(series["metric"])) for series in answer["result"]]
    value = float(answer["result"][1])
    if not value:
        return []
    return [(value, "")]


def _labels(metric: Mapping[str, str]) -> str:
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()) if name != "__name__")
    if not inner:
        return ""
    return f" for {metric.get('__name__', '')}{{{inner}}}"
