"""What a pacer is: the arguments a scenario may write, and the load they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.declarations.load_profile import OfferedLoad, Paced

RatePerS = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
"""Requests per wall second."""

Problem = tuple[str, str, str]
"""A mistake that only the setting shows: the argument, its value in words, what was expected."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a pacer is used: the rate it varies, its length in production seconds, and what a recording needs."""

    rate_per_s: float
    length_s: float
    speed: float = 1.0
    seed: int = 0
    folders: tuple[Path, ...] = ()


class PacerArgs(Frozen):
    """Base of every pacer: the fields are its arguments, the methods say which load they ask for."""

    summary: ClassVar[str]
    """A few words for `tocsin ls arrivals`."""

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the load in production seconds, from the start of the shape to `setting.length_s`."""
        raise NotImplementedError

    def words(self, setting: Setting) -> str:
        """Return the load in words, for `tocsin plan`."""
        raise NotImplementedError

    def problems(self, setting: Setting) -> Iterable[Problem]:
        """Return the mistakes that only the setting shows, such as a ramp longer than its phase."""
        return ()

    def warns(self, setting: Setting) -> Iterable[str]:
        """Return a sentence for each thing that is played but may not be what was meant."""
        return ()


class CurveArgs(PacerArgs):
    """Base of the pacers whose rate changes over time. `gaps`: how arrivals are spaced along the curve."""

    gaps: Literal["poisson", "constant"] = "poisson"


@dataclass(frozen=True, kw_only=True)
class Pacer:
    """A way to space requests: the name that `arrivals` gives, and the model of its arguments."""

    name: str
    args: type[PacerArgs]

    @property
    def summary(self) -> str:
        """A few words for `tocsin ls arrivals`."""
        return self.args.summary

    def wrong(self, args: PacerArgs, **setting: Any) -> list[Problem]:
        """Return every problem of valid arguments in a setting (keywords as in Setting)."""
        return list(args.problems(Setting(**setting)))

    def plan(self, args: Mapping[str, object], *, start_s: float, end_s: float, **setting: Any) -> Paced:
        """Return what a phase from `start_s` to `end_s` (production seconds of the shape) sends, in wall seconds."""
        parsed, place = self.args.model_validate(dict(args)), Setting(**setting)
        asked = parsed.curve(place).part(start_s, end_s).faster(place.speed)
        warnings = tuple(parsed.warns(place))
        return Paced(asked=asked, words=parsed.words(place), args=parsed, from_s=start_s, warnings=warnings)
