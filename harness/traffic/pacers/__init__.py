"""When to send: each pacer turns a rate and a length into the load that is asked for.

To add one: its file, its test, its README heading, a line of `ALL`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.traffic.pacers.burst import BURST
from tocsin.harness.traffic.pacers.closed import CLOSED
from tocsin.harness.traffic.pacers.constant import CONSTANT
from tocsin.harness.traffic.pacers.diurnal import DIURNAL
from tocsin.harness.traffic.pacers.pacer import Pacer, Setting
from tocsin.harness.traffic.pacers.poisson import POISSON
from tocsin.harness.traffic.pacers.ramp import RAMP
from tocsin.harness.traffic.pacers.replay import REPLAY
from tocsin.harness.traffic.pacers.steps import STEPS

ALL: tuple[Pacer, ...] = (CONSTANT, POISSON, RAMP, STEPS, BURST, DIURNAL, REPLAY, CLOSED)
"""Every pacer."""

CATALOGUE: Mapping[str, Pacer] = {pacer.name: pacer for pacer in ALL}
"""The names that `arrivals` may hold."""

__all__ = ["ALL", "CATALOGUE", "Pacer", "Setting"]
