"""Arrivals of many independent callers: exponential gaps."""

from __future__ import annotations

from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.traffic.pacers.pacer import Pacer, Plain, Setting


def _curve(args: Plain, setting: Setting) -> Asked:
    return Asked.constant(setting.rate_per_s, setting.length_s, "poisson")


def _words(args: Plain, setting: Setting) -> str:
    return f"{setting.rate_per_s:g} requests/s, poisson"


POISSON = Pacer(
    name="poisson",
    summary="exponential gaps, as many independent callers make them",
    args=Plain,
    curve=_curve,
    words=_words,
)
