"""Evenly spaced arrivals."""

from __future__ import annotations

from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.traffic.pacers.pacer import Pacer, Plain, Setting


def _curve(args: Plain, setting: Setting) -> Asked:
    return Asked.constant(setting.rate_per_s, setting.length_s, "constant")


def _words(args: Plain, setting: Setting) -> str:
    return f"{setting.rate_per_s:g} requests/s, constant"


CONSTANT = Pacer(
    name="constant",
    summary="evenly spaced",
    args=Plain,
    curve=_curve,
    words=_words,
)
