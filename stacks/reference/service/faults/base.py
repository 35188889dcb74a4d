"""What faults inside the service share: checked parameters, and the moments at which they may interfere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from service.requestlog import RequestLog

Range = tuple[float, float]
"""A number is above the first and at most the second."""
SHARE: Range = (0, 1)
METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]{0,99}"
"""The pattern of a metric's name."""


class EveryNth:
    """Says yes to exactly the share of calls: after n calls floor(n x share), evenly spread, without chance."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.calls = self.hits = 0

    def __call__(self) -> bool:
        """Count a call and say whether it is hit."""
        self.calls += 1
        due = math.floor(self.calls * self.share + 1e-9)
        hit, self.hits = due > self.hits, due
        return hit

    def state(self) -> dict[str, float]:
        """Return the share, the calls seen and the calls hit."""
        return {"share": self.share, "calls": self.calls, "hits": self.hits}


class Fault:
    """One fault that is on. A subclass overrides the moments at which it interferes; the others stay as they are.

    Its name is that of its class: `ModelRaises` is `model_raises`. With a parameter `share`, `strikes` says of each
    call whether it is one of the share.
    """

    numbers: Mapping[str, Range] = {}
    """Parameters that are numbers -> their range."""
    texts: Mapping[str, str] = {}
    """Parameters that are texts -> the pattern that they match as a whole."""
    offset_s: float = 0.0
    """How far the service's wall clock is off."""
    version: str | None = None
    """The version that the service reports as its own, None for the real one."""

    def __init__(self, given: Mapping[str, object]) -> None:
        """Take the parameters; ValueError if one is missing, unknown or out of its range."""
        expected = [*self.numbers, *self.texts]
        if set(given) != set(expected):
            raise ValueError(f"expected {', '.join(expected) or 'no parameters'}, got {dict(given)!r}")
        self.number = {name: _number(name, given[name], *bounds) for name, bounds in self.numbers.items()}
        self.text = {name: _text(name, given[name], pattern) for name, pattern in self.texts.items()}
        self.strikes = EveryNth(self.number.get("share", 1.0))

    def begin(self, log: RequestLog) -> None:
        """Start what goes on by itself; called on the event loop. OSError if the log's file cannot be changed."""

    def end(self, log: RequestLog) -> None:
        """Stop and undo what `begin` did."""

    def delay_s(self) -> float:
        """Return how long this call is held up before the model sees it."""
        return 0.0

    def before_predict(self) -> None:
        """Raise, or do nothing."""

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return the model's classes and scores, or others."""
        return classes, scores

    async def page(self, page: bytes) -> bytes | None:
        """Return the page of /metrics, or another; None answers 500."""
        return page

    def state(self) -> dict[str, object]:
        """Return the parameters, and how often it struck if it strikes a share."""
        struck = self.strikes.state() if "share" in self.number else {}
        return {**self.number, **self.text, **struck}


def _number(name: str, value: object, above: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; expected a number")
    if not above < value <= most:
        raise ValueError(f"{name} is {value!r}; expected above {above:g}, at most {most:g}")
    return float(value)


def _text(name: str, value: object, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{name} is {value!r}; expected a text like {pattern}")
    return value
