"""What a pacer is: the arguments a scenario may write, and the load they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.declarations.scenario import Paced

RatePerS = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
"""Requests per wall second."""


class Plain(Frozen):
    """A pacer without arguments."""


class Shape(Frozen):
    """Arguments of a rate that changes over time. `gaps`: how arrivals are spaced along it."""

    gaps: Literal["poisson", "constant"] = "poisson"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a pacer is used: the rate it varies, its length in production seconds, and what a recording needs."""

    rate_per_s: float
    length_s: float
    speed: float = 1.0
    seed: int = 0
    folders: tuple[Path, ...] = ()


Problem = tuple[str, str, str]
"""A mistake that only the setting shows: the argument, its value in words, what was expected."""


def _none(args: Any, setting: Setting) -> Iterable[Any]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Pacer:
    """A way to space requests. `curve` gives the load in production seconds, `words` says it in a plan.

    `problems` finds what only the setting shows: a ramp longer than its phase, a recording that is not there;
    `warns` tells what is played, but may not be what was meant.
    """

    name: str
    summary: str
    args: type[BaseModel]
    curve: Callable[[Any, Setting], Asked]
    words: Callable[[Any, Setting], str]
    problems: Callable[[Any, Setting], Iterable[Problem]] = _none
    warns: Callable[[Any, Setting], Iterable[str]] = _none

    def wrong(self, args: BaseModel, **setting: Any) -> list[Problem]:
        """Return every problem of valid arguments in a setting (keywords as in Setting)."""
        return list(self.problems(args, Setting(**setting)))

    def plan(self, args: Mapping[str, Any], *, start_s: float, end_s: float, **setting: Any) -> Paced:
        """Return what a phase from `start_s` to `end_s` (production seconds of the shape) sends, in wall seconds."""
        parsed, place = self.args.model_validate(dict(args)), Setting(**setting)
        asked = self.curve(parsed, place).part(start_s, end_s).faster(place.speed)
        warnings = tuple(self.warns(parsed, place))
        return Paced(asked=asked, words=self.words(parsed, place), args=parsed, from_s=start_s, warnings=warnings)
