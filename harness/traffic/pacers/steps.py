"""A staircase of rates."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.offered_load import Asked, steps_of
from tocsin.harness.traffic.pacers.pacer import Pacer, Problem, RatePerS, Setting, Shape


class Steps(Shape):
    """The rates of `rates_per_s` one after the other, each for `every` (by default equal parts); the last one stays."""

    rates_per_s: tuple[RatePerS, ...] = Field(min_length=1)
    every: Seconds | None = Field(default=None, gt=0)


def _every_s(args: Steps, setting: Setting) -> float:
    return setting.length_s / len(args.rates_per_s) if args.every is None else args.every


def _curve(args: Steps, setting: Setting) -> Asked:
    every_s = _every_s(args, setting)
    starts = [every_s * place for place in range(len(args.rates_per_s)) if every_s * place < setting.length_s]
    times, rates = steps_of([*starts, setting.length_s], args.rates_per_s[: len(starts)])
    return Asked(t_s=times, rate_per_s=rates, gaps=args.gaps)


def _words(args: Steps, setting: Setting) -> str:
    listed = ", ".join(f"{rate:g}" for rate in args.rates_per_s)
    return f"steps of {listed} requests/s, {format_duration(_every_s(args, setting))} each, {args.gaps}"


def _problems(args: Steps, setting: Setting) -> Iterator[Problem]:
    if args.every is not None and args.every * (len(args.rates_per_s) - 1) >= setting.length_s:
        most = format_duration(setting.length_s / len(args.rates_per_s))
        yield "every", format_duration(args.every), f"at most {most}, so that every step is played"


STEPS = Pacer(
    name="steps",
    summary="a staircase of rates",
    args=Steps,
    curve=_curve,
    words=_words,
    problems=_problems,
)
