"""What faults inside the service share: checked parameters, and the moments at which they may interfere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.inference import Parts

Parameter = Callable[[str, Any], Any]
"""Checks a value given for a name and returns it; ValueError if it does not fit."""


def number(above: float, most: float) -> Parameter:
    """Return the check of a number above `above` and at most `most`."""

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}; expected a number")
        if not above < value <= most:
            raise ValueError(f"{name} is {value!r}; expected above {above:g}, at most {most:g}")
        return float(value)

    return check


def text(pattern: str) -> Parameter:
    """Return the check of a text that matches a pattern as a whole."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"{name} is {value!r}; expected a text like {pattern}")
        return value

    return check


SHARE = number(0, 1)
METRIC = text(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,99}")


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

    With a parameter `share`, `strikes` says of each call whether it is one of the share.
    """

    parameters: Mapping[str, Parameter] = {"share": SHARE}
    offset_s: float = 0.0
    """How far the service's wall clock is off."""
    version: str | None = None
    """The version that the service takes itself for, None for its own."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if set(given) != set(self.parameters):
            raise ValueError(f"expected {', '.join(self.parameters) or 'no parameters'}, got {dict(given)!r}")
        self.given = {name: check(name, given[name]) for name, check in self.parameters.items()}
        self.strikes = EveryNth(self.given.get("share", 1.0))

    def begin(self, parts: Parts) -> None:
        """Start what goes on by itself; called on the event loop."""

    def end(self, parts: Parts) -> None:
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

    def state(self) -> dict[str, Any]:
        """Return what is on, and how often it struck if it strikes a share."""
        return {**self.given, **(self.strikes.state() if "share" in self.given else {})}
