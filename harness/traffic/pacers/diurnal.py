"""A rate that rises and falls like a day: a cosine, drawn with straight pieces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.traffic.pacers.pacer import Pacer, Problem, Setting, Shape

PIECES = 96
"""Straight pieces per period: one each 15 minutes of a day, at most 0.06 % of the rate away from the cosine."""


class Diurnal(Shape):
    """rate_per_s on average, up and down by `swing` of it, once per `period`; highest at `peak_at` (half a period)."""

    swing: float = Field(gt=0, le=1)
    period: Seconds = Field(default=86_400.0, gt=0)
    peak_at: Seconds | None = Field(default=None, ge=0)


def _peak_s(args: Diurnal) -> float:
    return args.period / 2 if args.peak_at is None else args.peak_at


def _curve(args: Diurnal, setting: Setting) -> Asked:
    step_s = args.period / PIECES
    times = np.append(np.arange(0.0, setting.length_s - step_s / 1000, step_s), setting.length_s)
    rates = setting.rate_per_s * (1 + args.swing * np.cos(2 * np.pi * (times - _peak_s(args)) / args.period))
    return Asked(t_s=tuple(times.tolist()), rate_per_s=tuple(np.maximum(rates, 0.0).tolist()), gaps=args.gaps)


def _words(args: Diurnal, setting: Setting) -> str:
    low, high = setting.rate_per_s * (1 - args.swing), setting.rate_per_s * (1 + args.swing)
    period, peak = format_duration(args.period), format_duration(_peak_s(args))
    return f"{low:g} to {high:g} requests/s in a period of {period} with its peak at {peak}, {args.gaps}"


def _problems(args: Diurnal, setting: Setting) -> Iterator[Problem]:
    if setting.length_s / args.period > 1000:
        room = format_duration(setting.length_s)
        yield "period", format_duration(args.period), f"at most 1 000 periods within {room}"


DIURNAL = Pacer(
    name="diurnal",
    summary="up and down as a day has it",
    args=Diurnal,
    curve=_curve,
    words=_words,
    problems=_problems,
)
