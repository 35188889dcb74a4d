"""Which numbers of an expression must be rewritten when time is divided, and what becomes of its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tocsin.harness.monitoring.promql import function_table as functions
from tocsin.harness.monitoring.promql.dimension_arithmetic import AT_SPEED_ONE, OPERATORS, Literals, either
from tocsin.harness.monitoring.promql.expression import COMPARISONS, SETS, Node, NotCompressible, parse
from tocsin.harness.monitoring.promql.time_dimension import AGE, CONSTANT, MOMENT, NUMBER, Scale, by_name, unknown


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
        if metric not in self.recorded:
            return self._scraped(metric)
        if metric not in self._known:
            self._known[metric] = unknown(f"`{metric}` is recorded from itself")
            self._known[metric] = self._of_record(metric)
        return self._known[metric]

    def of_counter(self, metric: str) -> Scale:
        """Return the scale of a metric that a rule reads as a counter: K times fewer requests, as many events."""
        if metric in self.events:
            return NUMBER
        if metric in self.recorded:
            scale = self.of(metric)
            if not scale.plain and not scale.counter:
                return scale
        return Scale(power=-1.0)

    def _scraped(self, metric: str) -> Scale:
        if metric in self.moments:
            return MOMENT
        if metric in self.ages:
            return AGE
        if metric in self.events:
            return NUMBER
        return by_name(metric, counted=metric in self.counters)

    def _of_record(self, metric: str) -> Scale:
        scales = []
        for expr in self.recorded[metric]:
            try:
                scales.append(replace(analyse(expr, self).scale, constant=False))
            except NotCompressible as error:
                scales.append(unknown(f"`{metric}` is recorded from what {error.reason}", signed=False))
        first = scales[0]
        if all((scale.power, scale.moment) == (first.power, first.moment) for scale in scales):
            return replace(first, why=first.why or f"recorded as `{metric}`")
        return unknown(f"`{metric}` is recorded from values that time divides differently")


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The scale of an expression's value, and place of a number -> the power of K it must be multiplied by."""

    scale: Scale
    powers: Mapping[int, float]


def analyse(expr: str, scales: Scales) -> Analysis:
    """Return what division of time does to `expr`; NotCompressible names what cannot be kept."""
    reader = _Reader(scales)
    scale = reader.scale(parse(expr))
    return Analysis(scale=scale, powers=reader.literals.powers)


def scale_of(node: Node, scales: Scales) -> Scale | None:
    """Return the scale of a part of an expression, None if it cannot be kept."""
    try:
        return _Reader(scales).scale(node)
    except NotCompressible:
        return None


class _Reader:
    """Goes through one tree from the leaves up, and writes down the numbers to be rewritten."""

    def __init__(self, scales: Scales) -> None:
        self.scales = scales
        self.literals = Literals()

    def scale(self, node: Node, *, counted: bool = False) -> Scale:
        """Return a node's scale. `counted`: a function above reads its metrics as counters."""
        if node.pinned:
            message = "The modifier `@` pins a query to a moment, which cannot be divided."
            raise NotCompressible(message, hint=AT_SPEED_ONE, reason="uses the modifier `@`")
        match node.kind:
            case "number":
                return CONSTANT
            case "text":
                return NUMBER
            case "selector":
                return self.scales.of_counter(node.name) if counted else self.scales.of(node.name)
            case "window" | "subquery" | "paren":
                return self.scale(node.parts[0], counted=counted)
            case "unary":
                return _unless_moment(self.scale(node.parts[0], counted=counted), "minus a point in time")
            case "aggregate":
                return self._aggregate(node, counted)
            case "binary":
                return self._binary(node, counted)
            case "call":
                return self._call(node, counted)

    def _aggregate(self, node: Node, counted: bool) -> Scale:
        for parameter in node.parts[:-1]:
            self.scale(parameter)
        inner = replace(self.scale(node.parts[-1], counted=counted), constant=False)
        if node.name in functions.AGGREGATES_KEEP:
            return inner
        if node.name in functions.AGGREGATES_COUNT:
            return NUMBER
        if node.name in functions.SPREADS:
            return _spread(inner, functions.SPREADS[node.name])
        return _unless_moment(inner, "a sum of points in time")

    def _call(self, node: Node, counted: bool) -> Scale:
        name = node.name
        if name in functions.REFUSED:
            message = f"`{name}()` {functions.REFUSED[name]}, which division of time would change."
            raise NotCompressible(message, hint=AT_SPEED_ONE, reason=f"uses {name}()")
        if name in ("time", "timestamp") or name.startswith("ts_of_"):
            return MOMENT
        if name in functions.RATES:
            return _slope(self.scale(node.parts[0], counted=True), functions.RATES[name])
        scales = [self.scale(part, counted=counted) for part in node.parts if part.kind != "text"]
        if not scales:
            return self._other(node, NUMBER)
        inner = scales[-1] if name == "quantile_over_time" else scales[0]
        if name in ("round", "clamp", "clamp_min", "clamp_max"):
            return self._cut(node, inner)
        return self._other(node, inner)

    def _other(self, node: Node, inner: Scale) -> Scale:
        name = node.name
        if name in functions.KEEPS:
            return inner
        if name in functions.SPREADS:
            return _spread(inner, functions.SPREADS[name])
        if name in functions.COUNTS:
            return NUMBER
        if name == "deriv":
            return _slope(inner, 1.0)
        if name == "predict_linear":
            self.literals.meet(node.parts[1], self.scale(node.parts[1]), -1.0, "the horizon of `predict_linear()`")
            return replace(inner, plain=False)
        if name in functions.SUMS:
            return _unless_moment(inner, f"`{name}()` of a point in time")
        return _of_curve(name, inner)

    def _cut(self, node: Node, inner: Scale) -> Scale:
        if node.name == "round" and len(node.parts) == 1:
            if inner.undivided:
                return replace(inner, plain=False)
            return unknown("`round()` of what time divides", signed=False)
        for limit in node.parts[1:]:
            self.literals.pair(node, node.parts[0], inner, limit, self.scale(limit))
        return replace(inner, constant=False, plain=False)

    def _binary(self, node: Node, counted: bool) -> Scale:
        left, right = (self.scale(part, counted=counted) for part in node.parts)
        if node.name in COMPARISONS:
            self.literals.pair(node, node.parts[0], left, node.parts[1], right)
            if not node.filters:
                return NUMBER
            return right if left.constant else left
        if node.name == "or":
            return either(self.literals, node, left, right)
        if node.name in SETS:
            return left
        if left.constant and right.constant:
            return CONSTANT
        return OPERATORS[node.name](self.literals, node, left, right)


def _of_curve(name: str, inner: Scale) -> Scale:
    if name == "sqrt":
        return inner.derived(lambda power: power / 2)
    if name == "changes":
        if inner.moment or inner.power == 0:
            return NUMBER
        return unknown("`changes()` of a counter, of which K times fewer fall between two scrapes")
    if name not in functions.CURVES:
        message = f"`{name}()` is not known."
        raise NotCompressible(message, hint=AT_SPEED_ONE, reason=f"uses {name}(), which is not known")
    if inner.undivided:
        return NUMBER
    return unknown(f"`{name}()` of what time divides", signed=False)


def _unless_moment(inner: Scale, name: str) -> Scale:
    if inner.moment:
        return unknown(name)
    return replace(inner, plain=False)


def _slope(inner: Scale, power: float) -> Scale:
    if inner.moment:
        return unknown("the slope of a point in time")
    return replace(inner.derived(lambda own: own + power), counter=False)


def _spread(inner: Scale, power: float) -> Scale:
    if inner.moment:
        return Scale(power=-power)
    return replace(inner.derived(lambda own: own * power), counter=False)
