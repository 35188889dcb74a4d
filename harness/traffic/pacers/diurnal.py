"""A rate that rises and falls like a day: a cosine, drawn with straight pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.traffic.pacers.pacer import CurveArgs, Problem, Setting

PIECES = 96
"""Straight pieces per period: one each 15 minutes of a day, at most 0.06 % of the rate away from the cosine."""


class Diurnal(CurveArgs):
    """rate_per_s on average, up and down by `swing` of it, once per `period`; highest at `peak_at` (half a period)."""

    summary: ClassVar[str] = "up and down as a day has it"
    swing: float = Field(gt=0, le=1)
    period: Seconds = Field(default=86_400.0, gt=0)
    peak_at: Seconds | None = Field(default=None, ge=0)

    @property
    def peak_s(self) -> float:
        """When the rate is highest, production seconds from the start."""
        return self.period / 2 if self.peak_at is None else self.peak_at

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the cosine in PIECES straight pieces per period."""
        step_s = self.period / PIECES
        times = np.append(np.arange(0.0, setting.length_s - step_s / 1000, step_s), setting.length_s)
        rates = setting.rate_per_s * (1 + self.swing * np.cos(2 * np.pi * (times - self.peak_s) / self.period))
        return OfferedLoad(t_s=tuple(times.tolist()), rate_per_s=tuple(np.maximum(rates, 0.0).tolist()), gaps=self.gaps)

    def words(self, setting: Setting) -> str:
        """Return the lowest and the highest rate, the period and the peak in words."""
        low, high = setting.rate_per_s * (1 - self.swing), setting.rate_per_s * (1 + self.swing)
        period, peak = format_duration(self.period), format_duration(self.peak_s)
        return f"{low:g} to {high:g} requests/s in a period of {period} with its peak at {peak}, {self.gaps}"

    def problems(self, setting: Setting) -> Iterator[Problem]:
        """Yield too many periods."""
        if setting.length_s / self.period > 1000:
            room = format_duration(setting.length_s)
            yield "period", format_duration(self.period), f"at most 1 000 periods within {room}"
