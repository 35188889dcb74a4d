"""What division of time does to the value of an expression: a dimensional analysis over its tree.

At speed K gauges keep their values at the same production time, requests keep their rate per wall second, and every
duration is divided. So the value of an expression is that of production times K to some power: 0 for a gauge or a rate
of requests, -1 for an increase, an age or a duration, 1 for the slope of a gauge. Numbers it is compared with or added
to must be multiplied by the same. Where no power can be proved, a comparison is refused, but for one with 0: its side
of 0 is what division keeps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a value at speed K follows from that of production: times K ** `power`; None is unknown, and `why` says so.

    `moment`: a point in time, of which only distances from other points are divided. `constant`: made of numbers only,
    which can be rewritten to any power. `plain`: a gauge as it was scraped, which may turn out to be a moment.
    `counter`: the bare value of a counter. `signed`: its side of 0 is known to be kept.
    """

    power: float | None = 0.0
    moment: bool = False
    constant: bool = False
    plain: bool = False
    counter: bool = False
    signed: bool = True
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether its power is proved and it is no moment."""
        return self.power is not None and not self.moment

    @property
    def undivided(self) -> bool:
        """Whether it is the same at every speed, or made of numbers that can be rewritten."""
        return self.constant or (self.known and self.power == 0)

    def derived(self, change: Callable[[float], float] = lambda power: power) -> Scale:
        """Return the scale of what is made of this value: its power changed, and no longer a gauge as scraped."""
        if self.power is None:
            return replace(self, plain=False)
        return replace(self, power=change(self.power), plain=False)


GAUGE = Scale(plain=True)
NUMBER = Scale()
CONSTANT = Scale(constant=True)
MOMENT = Scale(moment=True, why="a point in time")
AGE = Scale(power=-1.0)

_COUNTERS = re.compile(r"_(?:total|bucket|count|sum)$")
_MOMENTS = re.compile(
    r"(?:_timestamp|_(?:start|starttime|boot|completion|finish|creation|deletion|expiration|expiry|modification)_time"
    r"|_created|_(?:last|next)_(?:[a-z]+_)*(?:time|timestamp)|_not_(?:after|before)|_earliest_cert_expiry)"
    r"(?:_(?:unix_)?(?:seconds|ms|milliseconds))?$|^ALERTS_FOR_STATE$"
)
_OWN = {"prometheus_rule_group_interval_seconds": AGE, "prometheus_target_interval_length_seconds": AGE}
"""Metrics of Prometheus that hold an interval of its own configuration."""


def by_name(metric: str, *, counted: bool = False) -> Scale:
    """Return the scale of a scraped metric as its name tells it, by the conventions of OpenMetrics.

    `counted`: a rule reads it as a counter, whatever its name says.
    """
    if counted:
        return counter(metric)
    if not metric:
        return unknown("it reads a metric without a name")
    if metric in _OWN:
        return _OWN[metric]
    if _MOMENTS.search(metric):
        return MOMENT
    if _COUNTERS.search(metric):
        return counter(metric)
    return GAUGE


def counter(metric: str) -> Scale:
    """Return the scale of the bare value of a counter."""
    why = f"`{metric}` is a counter, whose bare value depends on how long its process has run"
    return Scale(power=None, counter=True, why=why)


def unknown(why: str, *, signed: bool = True) -> Scale:
    """Return the scale of a value whose power cannot be told, and why not."""
    return Scale(power=None, signed=signed, why=why)


def moments(left: Scale, right: Scale) -> tuple[bool, bool]:
    """Tell of two values that meet which are points in time: a plain gauge is one where the other is one."""
    return left.moment or (left.plain and right.moment), right.moment or (right.plain and left.moment)


def blank(value: float | None) -> bool:
    """Tell whether a constant is the same at every scale: 0, an infinity or nan."""
    return value is not None and (value == 0 or not math.isfinite(value))
