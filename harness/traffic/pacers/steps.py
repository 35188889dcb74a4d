"""A staircase of rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.load_profile import OfferedLoad, steps_of
from tocsin.harness.traffic.pacers.pacer import CurveArgs, Problem, RatePerS, Setting


class Steps(CurveArgs):
    """The rates of `rates_per_s` one after the other, each for `every` (by default equal parts); the last one stays."""

    summary: ClassVar[str] = "a staircase of rates"
    rates_per_s: tuple[RatePerS, ...] = Field(min_length=1)
    every: Seconds | None = Field(default=None, gt=0)

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the steps that begin within the length."""
        every_s = self._every_s(setting)
        starts = [every_s * place for place in range(len(self.rates_per_s)) if every_s * place < setting.length_s]
        times, rates = steps_of([*starts, setting.length_s], self.rates_per_s[: len(starts)])
        return OfferedLoad(t_s=times, rate_per_s=rates, gaps=self.gaps)

    def words(self, setting: Setting) -> str:
        """Return the rates and the length of a step in words."""
        listed = ", ".join(f"{rate:g}" for rate in self.rates_per_s)
        return f"steps of {listed} requests/s, {format_duration(self._every_s(setting))} each, {self.gaps}"

    def problems(self, setting: Setting) -> Iterator[Problem]:
        """Yield steps so long that the last one is not reached."""
        if self.every is not None and self.every * (len(self.rates_per_s) - 1) >= setting.length_s:
            most = format_duration(setting.length_s / len(self.rates_per_s))
            yield "every", format_duration(self.every), f"at most {most}, so that every step is played"

    def _every_s(self, setting: Setting) -> float:
        return setting.length_s / len(self.rates_per_s) if self.every is None else self.every
