"""A rate that rises or falls in a straight line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.traffic.pacers.pacer import CurveArgs, Problem, RatePerS, Setting


class Ramp(CurveArgs):
    """From `from_per_s` (by default rate_per_s) to `to_per_s` within `over` (by default the whole length), then on."""

    summary: ClassVar[str] = "a straight line from one rate to another"
    to_per_s: RatePerS
    from_per_s: RatePerS | None = None
    over: Seconds | None = Field(default=None, gt=0)

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the straight line, then the last rate to the end."""
        first, over_s = self._ends(setting)
        times, rates = [0.0, over_s], [first, self.to_per_s]
        if over_s < setting.length_s:
            times.append(setting.length_s)
            rates.append(self.to_per_s)
        return OfferedLoad(t_s=tuple(times), rate_per_s=tuple(rates), gaps=self.gaps)

    def words(self, setting: Setting) -> str:
        """Return both rates and the time between them in words."""
        first, over_s = self._ends(setting)
        return f"ramp from {first:g} to {self.to_per_s:g} requests/s over {format_duration(over_s)}, {self.gaps}"

    def problems(self, setting: Setting) -> Iterator[Problem]:
        """Yield a ramp that is longer than the time there is."""
        if self.over is not None and self.over > setting.length_s:
            most = f"at most {format_duration(setting.length_s)}, what there is of it"
            yield "over", format_duration(self.over), most

    def _ends(self, setting: Setting) -> tuple[float, float]:
        """Return the first rate, and after how many production seconds the last one is reached."""
        first = setting.rate_per_s if self.from_per_s is None else self.from_per_s
        return first, setting.length_s if self.over is None else self.over
