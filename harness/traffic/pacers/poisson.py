"""Arrivals of many independent callers: exponential gaps."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.traffic.pacers.pacer import PacerArgs, Setting


class Poisson(PacerArgs):
    """Exponential gaps at rate_per_s on average. No arguments."""

    summary: ClassVar[str] = "exponential gaps, as many independent callers make them"

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the same rate for the whole length."""
        return OfferedLoad.constant(setting.rate_per_s, setting.length_s, "poisson")

    def words(self, setting: Setting) -> str:
        """Return the rate in words."""
        return f"{setting.rate_per_s:g} requests/s, poisson"
