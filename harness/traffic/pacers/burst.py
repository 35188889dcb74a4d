"""A steady rate with bursts on top."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field, model_validator

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.load_profile import OfferedLoad, steps_of
from tocsin.harness.traffic.pacers.pacer import CurveArgs, Problem, RatePerS, Setting


class Burst(CurveArgs):
    """`to_per_s` for `for`, first at `at`, then again each `every` (by default once); rate_per_s in between."""

    summary: ClassVar[str] = "bursts on top of a steady rate"
    to_per_s: RatePerS
    lasts: Seconds = Field(alias="for", gt=0)
    at: Seconds = Field(default=0.0, ge=0)
    every: Seconds | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _apart(self) -> Burst:
        if self.every is not None and self.every <= self.lasts:
            raise ValueError("bursts that do not overlap: `every` longer than `for`")
        return self

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return a staircase between the steady rate and that of the bursts."""
        bounds, rates = [0.0], list[float]()

        def hold(rate_per_s: float, until_s: float) -> None:
            if until_s > bounds[-1]:
                bounds.append(until_s)
                rates.append(rate_per_s)

        for start_s in self._starts(setting.length_s):
            hold(setting.rate_per_s, start_s)
            hold(self.to_per_s, min(start_s + self.lasts, setting.length_s))
        hold(setting.rate_per_s, setting.length_s)
        times, levels = steps_of(bounds, rates)
        return OfferedLoad(t_s=times, rate_per_s=levels, gaps=self.gaps)

    def words(self, setting: Setting) -> str:
        """Return the steady rate and the bursts in words."""
        again = "once" if self.every is None else f"each {format_duration(self.every)}"
        burst = f"{self.to_per_s:g}/s for {format_duration(self.lasts)} {again} from {format_duration(self.at)} on"
        return f"{setting.rate_per_s:g} requests/s with bursts to {burst}, {self.gaps}"

    def problems(self, setting: Setting) -> Iterator[Problem]:
        """Yield a first burst that does not end in time, and too many bursts."""
        room, end_s = format_duration(setting.length_s), self.at + self.lasts
        if end_s > setting.length_s:
            key = "at" if self.at else "for"
            yield key, f"until {format_duration(end_s)}", f"a first burst that ends within {room}"
        if self.every is not None and setting.length_s / self.every > 10_000:
            yield "every", format_duration(self.every), f"at most 10 000 bursts within {room}"

    def _starts(self, length_s: float) -> Iterator[float]:
        start_s = self.at
        while start_s < length_s:
            yield start_s
            if self.every is None:
                return
            start_s += self.every
