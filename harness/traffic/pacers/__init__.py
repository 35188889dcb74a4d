"""When to send: each pacer turns a rate and a length into the load that is asked for.

To add one: its file, its test, its README heading, a line of `ALL`.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.traffic.pacers.base import Pacer, Setting
from harness.traffic.pacers.burst import BURST
from harness.traffic.pacers.closed import CLOSED
from harness.traffic.pacers.constant import CONSTANT
from harness.traffic.pacers.diurnal import DIURNAL
from harness.traffic.pacers.poisson import POISSON
from harness.traffic.pacers.ramp import RAMP
from harness.traffic.pacers.replay import REPLAY
from harness.traffic.pacers.steps import STEPS

ALL: tuple[Pacer, ...] = (CONSTANT, POISSON, RAMP, STEPS, BURST, DIURNAL, REPLAY, CLOSED)
"""Every pacer."""

CATALOGUE: Mapping[str, Pacer] = {pacer.name: pacer for pacer in ALL}
"""The names that `arrivals` may hold."""

__all__ = ["ALL", "CATALOGUE", "Pacer", "Setting"]
