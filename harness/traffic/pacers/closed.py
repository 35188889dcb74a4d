"""A closed loop: a fixed number of users, each of whom waits for its answer and thinks before it asks again."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.traffic.pacers.pacer import PacerArgs, Setting


class Closed(PacerArgs):
    """`users` at a time; each thinks `think` (wall seconds: no speed divides it) between an answer and its next one."""

    summary: ClassVar[str] = "a closed loop: users who wait for their answer and think"
    users: int = Field(ge=1, le=100_000)
    think: Seconds = Field(default=0.0, ge=0)

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the users and their think time; the rates are 0 and mean nothing."""
        times = (0.0, setting.length_s)
        return OfferedLoad(t_s=times, rate_per_s=(0.0, 0.0), gaps="closed", users=self.users, think_s=self.think)

    def words(self, setting: Setting) -> str:
        """Return the users in words."""
        think = f"think {format_duration(self.think)} of wall time" if self.think else "do not think"
        return f"closed loop, no rate: {self.users} users who wait for their answer and {think}"
