"""A closed loop: a fixed number of users, each of whom waits for its answer and thinks before it asks again."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.offered_load import Asked
from tocsin.harness.traffic.pacers.pacer import Pacer, Setting


class Closed(Frozen):
    """`users` at a time; each thinks `think` (wall seconds: no speed divides it) between an answer and its next one."""

    users: int = Field(ge=1, le=100_000)
    think: Seconds = Field(default=0.0, ge=0)


def _curve(args: Closed, setting: Setting) -> Asked:
    length_s = setting.length_s
    return Asked(t_s=(0.0, length_s), rate_per_s=(0.0, 0.0), gaps="closed", users=args.users, think_s=args.think)


def _words(args: Closed, setting: Setting) -> str:
    think = f"think {format_duration(args.think)} of wall time" if args.think else "do not think"
    return f"closed loop, no rate: {args.users} users who wait for their answer and {think}"


CLOSED = Pacer(
    name="closed",
    summary="a closed loop: users who wait for their answer and think",
    args=Closed,
    curve=_curve,
    words=_words,
)
