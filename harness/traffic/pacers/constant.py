"""Evenly spaced arrivals."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.traffic.pacers.pacer import PacerArgs, Setting


class Constant(PacerArgs):
    """Evenly spaced at rate_per_s. No arguments."""

    summary: ClassVar[str] = "evenly spaced"

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the same rate for the whole length."""
        return OfferedLoad.constant(setting.rate_per_s, setting.length_s, "constant")

    def words(self, setting: Setting) -> str:
        """Return the rate in words."""
        return f"{setting.rate_per_s:g} requests/s, constant"
