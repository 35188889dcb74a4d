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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tocsin.harness.monitoring.promql.expression import NotCompressible


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


def by_name(metric: str) -> Scale:
    """Return the scale of a scraped metric as its name tells it, by the conventions of OpenMetrics."""
    if metric in _OWN:
        return _OWN[metric]
    if _MOMENTS.search(metric):
        return MOMENT
    if _COUNTERS.search(metric):
        return _counter(metric)
    return GAUGE if metric else Scale(power=None, why="it reads a metric without a name")


def _counter(metric: str) -> Scale:
    why = f"`{metric}` is a counter, whose bare value depends on how long its process has run"
    return Scale(power=None, counter=True, why=why)


@dataclass(frozen=True)
class Scales:
    """The scale of every metric: as declared by the stack, as recorded by rules, else as its name tells.

    `ages` are gauges in seconds of the drill's own time (a lag, an age), `moments` those that hold a time, `events`
    counters of what the drill does rather than of its traffic, such as restarts. `recorded` maps the name of a
    recording rule to its expressions; `counters` are what some rule reads as one.
    """

    recorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ages: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    counters: frozenset[str] = frozenset()
    _known: dict[str, Scale] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, metric: str) -> Scale:
        """Return the scale of a metric's value."""
        if metric in self._known:
            return self._known[metric]
        if metric not in self.recorded:
            declared = {**dict.fromkeys(self.ages, AGE), **dict.fromkeys(self.moments, MOMENT)}
            known = _counter(metric) if metric in self.counters else by_name(metric)
            found = declared.get(metric) or (NUMBER if metric in self.events else known)
        else:
            self._known[metric] = Scale(power=None, why=f"`{metric}` is recorded from itself")
            found = self._of_record(metric)
        self._known[metric] = found
        return found

    def of_counter(self, metric: str) -> Scale:
        """Return the scale of a metric that a rule reads as a counter: K times fewer requests, as many events."""
        if metric in self.events:
            return NUMBER
        found = self.of(metric)
        return found if metric in self.recorded and not (found.plain or found.counter) else Scale(power=-1.0)

    def _of_record(self, metric: str) -> Scale:
        from tocsin.harness.monitoring.promql.rewrites import analyse

        found = []
        for expr in self.recorded[metric]:
            try:
                found.append(analyse(expr, self).scale)
            except NotCompressible as error:
                found.append(Scale(power=None, signed=False, why=f"`{metric}` is recorded from what {error.reason}"))
        kept = [replace(one, constant=False) for one in found]
        first = kept[0]
        if all((one.power, one.moment) == (first.power, first.moment) for one in kept):
            return replace(first, why=first.why or f"recorded as `{metric}`")
        return Scale(power=None, why=f"`{metric}` is recorded from values that time divides differently")


def unknown(why: str, *, signed: bool = True) -> Scale:
    """Return the scale of a value whose power cannot be told, and why not."""
    return Scale(power=None, signed=signed, why=why)


def blank(value: float | None) -> bool:
    """Tell whether a constant is the same at every scale: 0, an infinity or nan."""
    return value is not None and (value == 0 or not math.isfinite(value))
