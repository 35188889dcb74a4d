"""A rate that rises or falls in a straight line."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.traffic.pacers.pacer import Pacer, Problem, RatePerS, Setting, Shape


class Ramp(Shape):
    """From `from_per_s` (by default rate_per_s) to `to_per_s` within `over` (by default the whole length), then on."""

    to_per_s: RatePerS
    from_per_s: RatePerS | None = None
    over: Seconds | None = Field(default=None, gt=0)


def _ends(args: Ramp, setting: Setting) -> tuple[float, float, float]:
    first = setting.rate_per_s if args.from_per_s is None else args.from_per_s
    return first, args.to_per_s, setting.length_s if args.over is None else args.over


def _curve(args: Ramp, setting: Setting) -> Asked:
    first, last, over_s = _ends(args, setting)
    times, rates = (0.0, over_s), (first, last)
    if over_s < setting.length_s:
        times, rates = (*times, setting.length_s), (*rates, last)  # type: ignore[assignment]
    return Asked(t_s=times, rate_per_s=rates, gaps=args.gaps)


def _words(args: Ramp, setting: Setting) -> str:
    first, last, over_s = _ends(args, setting)
    return f"ramp from {first:g} to {last:g} requests/s over {format_duration(over_s)}, {args.gaps}"


def _problems(args: Ramp, setting: Setting) -> Iterator[Problem]:
    if args.over is not None and args.over > setting.length_s:
        yield "over", format_duration(args.over), f"at most {format_duration(setting.length_s)}, what there is of it"


RAMP = Pacer(
    name="ramp",
    summary="a straight line from one rate to another",
    args=Ramp,
    curve=_curve,
    words=_words,
    problems=_problems,
)
