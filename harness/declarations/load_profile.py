"""What a phase asks for: a rate over time made of straight pieces, and how arrivals are spaced along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, model_validator

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.untyped_data import mapping

Gaps = Literal["poisson", "constant", "recorded", "closed"]
"""poisson: exponential gaps on the rescaled clock; constant: even ones; recorded: as in a file; closed: no asked rate,
each user sends when its last answer is there and it has thought."""

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OfferedLoad(Frozen):
    """The load of one phase. `t_s` are wall seconds from its start, ascending; a time that stands twice is a jump.

    Between two times the rate (requests per wall second) is a straight line. A closed loop has `users` who think
    `think_s` wall seconds between an answer and the next request; its rates are 0 and mean nothing.
    """

    t_s: tuple[float, ...] = Field(min_length=2)
    rate_per_s: tuple[Rate, ...] = Field(min_length=2)
    gaps: Gaps = "poisson"
    users: int = Field(default=0, ge=0)
    think_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _fits(self) -> OfferedLoad:
        if len(self.t_s) != len(self.rate_per_s):
            raise ValueError(f"{len(self.t_s)} times but {len(self.rate_per_s)} rates")
        if not np.isfinite(self.t_s).all() or self.t_s[0] != 0 or (np.diff(self.t_s) < 0).any():
            raise ValueError("times must ascend from 0")
        return self

    @classmethod
    def constant(cls, rate_per_s: float, length_s: float, gaps: Gaps = "poisson") -> OfferedLoad:
        """Return the same rate for the whole length."""
        return cls(t_s=(0.0, length_s), rate_per_s=(rate_per_s, rate_per_s), gaps=gaps)

    @property
    def length_s(self) -> float:
        """Wall seconds from the first to the last time."""
        return self.t_s[-1]

    @property
    def total(self) -> float:
        """Requests asked for in all."""
        return float(self._curve.before[-1])

    @property
    def peak_per_s(self) -> float:
        """The highest rate."""
        return max(self.rate_per_s)

    def upto(self, t_s: np.ndarray | float) -> np.ndarray:
        """Return how many requests are asked for before each time: the cumulative rate. Flat outside the phase."""
        times, rates, before, slopes = self._curve
        at = np.clip(np.asarray(t_s, dtype=np.float64), 0.0, times[-1])
        piece = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
        into = at - times[piece]
        cumulative: np.ndarray = before[piece] + into * (rates[piece] + slopes[piece] * into / 2)
        return cumulative

    def between(self, start_s: float, end_s: float) -> float:
        """Return how many requests are asked for from one time to another."""
        first, last = self.upto(np.array([start_s, end_s])).tolist()
        return float(last - first)

    def when(self, count: np.ndarray) -> np.ndarray:
        """Return the time at which the cumulative rate reaches each count: the inverse of `upto`."""
        times, rates, before, slopes = self._curve
        piece = np.clip(np.searchsorted(before, count, side="right") - 1, 0, len(times) - 2)
        left, rate = np.maximum(count - before[piece], 0.0), rates[piece]
        root = rate + np.sqrt(np.maximum(rate**2 + 2 * slopes[piece] * left, 0.0))
        into = np.divide(2 * left, root, out=np.zeros_like(root), where=root > 0)
        when: np.ndarray = np.minimum(times[piece] + into, times[piece + 1])
        return when

    def part(self, start_s: float, end_s: float) -> OfferedLoad:
        """Return what is asked for from one time to another, counted from the first."""
        curve = self._curve
        inside = (curve.times > start_s) & (curve.times < end_s)
        times = np.concatenate([[start_s], curve.times[inside], [end_s]]) - start_s
        rates = np.concatenate([[self._rate(start_s, 1)], curve.rates[inside], [self._rate(end_s, -1)]])
        return self.model_copy(update={"t_s": tuple(times.tolist()), "rate_per_s": tuple(rates.tolist())})

    def faster(self, speed: float) -> OfferedLoad:
        """Return the same with every time divided by `speed`; rates stay, so fewer are asked for."""
        return self.model_copy(update={"t_s": tuple(time_s / speed for time_s in self.t_s)})

    def _rate(self, at_s: float, side: int) -> float:
        """Return the rate just after (side 1) or just before (-1) a time."""
        times, rates, _, slopes = self._curve
        place = np.searchsorted(times, at_s, side="right" if side > 0 else "left")
        piece = int(np.clip(place - 1, 0, len(times) - 2))
        return float(rates[piece] + slopes[piece] * (at_s - times[piece]))

    @property
    def _curve(self) -> _Curve:
        return _curve(self.t_s, self.rate_per_s)


class _Curve(NamedTuple):
    """The pieces as arrays: times, rates there, requests before each time, and the slope of each piece."""

    times: np.ndarray
    rates: np.ndarray
    before: np.ndarray
    slopes: np.ndarray


@lru_cache(maxsize=64)
def _curve(t_s: tuple[float, ...], rate_per_s: tuple[float, ...]) -> _Curve:
    times, rates = np.array(t_s, dtype=np.float64), np.array(rate_per_s, dtype=np.float64)
    widths = np.diff(times)
    before = np.concatenate([[0.0], np.cumsum(widths * (rates[1:] + rates[:-1]) / 2)])
    slopes = np.divide(np.diff(rates), widths, out=np.zeros_like(widths), where=widths > 0)
    return _Curve(times, rates, before, slopes)


def steps_of(bounds_s: Sequence[float], rates_per_s: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return times and rates of a staircase: `rates_per_s[i]` holds from `bounds_s[i]` to `bounds_s[i + 1]`."""
    times = [time_s for piece in pairwise(bounds_s) for time_s in piece]
    return tuple(times), tuple(rate for rate in rates_per_s for _ in range(2))


def load_offered_in(phase: Mapping[str, object], seconds: float) -> OfferedLoad:
    """Return the load that a phase of run.json asked for; one written without `asked` had one rate, for `seconds`."""
    if phase.get("asked"):
        return OfferedLoad.model_validate(phase["asked"])
    traffic = mapping(phase["traffic"])
    gaps: Gaps = "constant" if traffic.get("arrivals") == "constant" else "poisson"
    return OfferedLoad.constant(float(str(traffic["rate_per_s"])), max(seconds, 1e-9), gaps)


@dataclass(frozen=True, kw_only=True)
class Paced:
    """The load of one phase as its pacer plans it: `asked` in wall seconds, `words` for a plan.

    `args` are the pacer's, validated; `from_s` production seconds of its shape are over when the phase begins.
    """

    asked: OfferedLoad
    words: str
    args: BaseModel
    from_s: float = 0.0
    warnings: tuple[str, ...] = ()
