"""A steady rate with bursts on top."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.offered_load import Asked, steps_of
from tocsin.harness.traffic.pacers.pacer import Pacer, Problem, RatePerS, Setting, Shape


class Burst(Shape):
    """`to_per_s` for `for`, first at `at`, then again each `every` (by default once); rate_per_s in between."""

    to_per_s: RatePerS
    lasts: Seconds = Field(alias="for", gt=0)
    at: Seconds = Field(default=0.0, ge=0)
    every: Seconds | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _apart(self) -> Burst:
        if self.every is not None and self.every <= self.lasts:
            raise ValueError("bursts that do not overlap: `every` longer than `for`")
        return self


def _curve(args: Burst, setting: Setting) -> Asked:
    bounds, start_s = [0.0], args.at
    rates: list[float] = []
    while start_s < setting.length_s:
        if start_s > bounds[-1]:
            bounds, rates = [*bounds, start_s], [*rates, setting.rate_per_s]
        bounds, rates = [*bounds, min(start_s + args.lasts, setting.length_s)], [*rates, args.to_per_s]
        if args.every is None:
            break
        start_s += args.every
    if bounds[-1] < setting.length_s:
        bounds, rates = [*bounds, setting.length_s], [*rates, setting.rate_per_s]
    times, levels = steps_of(bounds, rates)
    return Asked(t_s=times, rate_per_s=levels, gaps=args.gaps)


def _words(args: Burst, setting: Setting) -> str:
    again = "once" if args.every is None else f"each {format_duration(args.every)}"
    burst = f"{args.to_per_s:g}/s for {format_duration(args.lasts)} {again} from {format_duration(args.at)} on"
    return f"{setting.rate_per_s:g} requests/s with bursts to {burst}, {args.gaps}"


def _problems(args: Burst, setting: Setting) -> Iterator[Problem]:
    room = format_duration(setting.length_s)
    if args.at + args.lasts > setting.length_s:
        end = format_duration(args.at + args.lasts)
        yield ("at" if args.at else "for"), f"until {end}", f"a first burst that ends within {room}"
    if args.every is not None and setting.length_s / args.every > 10_000:
        yield "every", format_duration(args.every), f"at most 10 000 bursts within {room}"


BURST = Pacer(
    name="burst",
    summary="bursts on top of a steady rate",
    args=Burst,
    curve=_curve,
    words=_words,
    problems=_problems,
)
