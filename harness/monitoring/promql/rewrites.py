"""Which numbers of an expression must be rewritten when time is divided, and what becomes of its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tocsin.harness.monitoring.promql.dimension_arithmetic import OPERATORS, either
from tocsin.harness.monitoring.promql.expression import COMPARISONS, SETS, Node, NotCompressible, parse
from tocsin.harness.monitoring.promql.function_table import (
    AGGREGATES_COUNT,
    AGGREGATES_KEEP,
    COUNTS,
    CURVES,
    KEEPS,
    RATES,
    REFUSED,
    SPREADS,
    SUMS,
)
from tocsin.harness.monitoring.promql.scaled_literals import AT_SPEED_ONE, Literals
from tocsin.harness.monitoring.promql.time_dimension import CONSTANT, MOMENT, NUMBER, Scale, Scales, unknown


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
        if node.kind == "number":
            return CONSTANT
        if node.kind == "selector":
            return self.scales.of_counter(node.name) if counted else self.scales.of(node.name)
        if node.kind == "unary":
            inner = self.scale(node.parts[0], counted=counted)
            return unknown("minus a point in time") if inner.moment else replace(inner, plain=False)
        if node.kind in ("window", "subquery", "paren"):
            return self.scale(node.parts[0], counted=counted)
        if node.kind == "aggregate":
            return self._aggregate(node, counted)
        if node.kind == "binary":
            return self._binary(node, counted)
        return self._call(node, counted) if node.kind == "call" else NUMBER

    def _aggregate(self, node: Node, counted: bool) -> Scale:
        for parameter in node.parts[:-1]:
            self.scale(parameter)
        inner = replace(self.scale(node.parts[-1], counted=counted), constant=False)
        if node.name in AGGREGATES_KEEP:
            return inner
        if node.name in AGGREGATES_COUNT:
            return NUMBER
        if node.name in SPREADS:
            return _spread(inner, SPREADS[node.name])
        return unknown("a sum of points in time") if inner.moment else replace(inner, plain=False)

    def _call(self, node: Node, counted: bool) -> Scale:
        name = node.name
        if name in REFUSED:
            message = f"`{name}()` {REFUSED[name]}, which division of time would change."
            raise NotCompressible(message, hint=AT_SPEED_ONE, reason=f"uses {name}()")
        if name == "time" or name == "timestamp" or name.startswith("ts_of_"):
            return MOMENT
        if name in RATES:
            inner = self.scale(node.parts[0], counted=True)
            return _more(inner, RATES[name])
        reads = [self.scale(part, counted=counted) for part in node.parts if part.kind != "text"]
        inner = reads[-1] if name == "quantile_over_time" else (reads[0] if reads else NUMBER)
        if name in ("round", "clamp", "clamp_min", "clamp_max"):
            return self._cut(node, inner)
        return self._other(node, inner)

    def _other(self, node: Node, inner: Scale) -> Scale:
        name = node.name
        if name in KEEPS:
            return inner
        if name in SPREADS:
            return _spread(inner, SPREADS[name])
        if name in COUNTS:
            return NUMBER
        if name == "deriv":
            return _more(inner, 1.0)
        if name == "predict_linear":
            self.literals.meet(node.parts[1], self.scale(node.parts[1]), -1.0, "the horizon of `predict_linear()`")
            return replace(inner, plain=False)
        if name == "changes":
            why = "`changes()` of a counter, of which K times fewer fall between two scrapes"
            return NUMBER if inner.moment or inner.power == 0 else unknown(why)
        if name in SUMS:
            return unknown(f"`{name}()` of a point in time") if inner.moment else replace(inner, plain=False)
        if name == "sqrt":
            return replace(inner, power=None if inner.power is None else inner.power / 2, plain=False)
        if name in CURVES:
            fits = inner.constant or (inner.known and inner.power == 0)
            return NUMBER if fits else unknown(f"`{name}()` of what time divides", signed=False)
        raise NotCompressible(
            f"`{name}()` is not known.", hint=AT_SPEED_ONE, reason=f"uses {name}(), which is not known"
        )

    def _cut(self, node: Node, inner: Scale) -> Scale:
        if node.name == "round" and len(node.parts) == 1:
            fits = inner.constant or (inner.known and inner.power == 0)
            return replace(inner, plain=False) if fits else unknown("`round()` of what time divides", signed=False)
        for limit in node.parts[1:]:
            self.literals.pair(node, node.parts[0], inner, limit, self.scale(limit))
        return replace(inner, constant=False, plain=False)

    def _binary(self, node: Node, counted: bool) -> Scale:
        left, right = (self.scale(part, counted=counted) for part in node.parts)
        if left.constant and right.constant and node.name not in SETS | COMPARISONS:
            return CONSTANT
        if node.name in COMPARISONS:
            self.literals.pair(node, node.parts[0], left, node.parts[1], right)
            return (right if left.constant else left) if node.filters else NUMBER
        if node.name in SETS:
            return left if node.name != "or" else either(self.literals, node, left, right)
        return OPERATORS[node.name](self.literals, node, left, right)


def _more(inner: Scale, power: float) -> Scale:
    if inner.moment:
        return unknown("the slope of a point in time")
    return replace(inner, power=None if inner.power is None else inner.power + power, plain=False, counter=False)


def _spread(inner: Scale, power: float) -> Scale:
    if inner.moment:
        return Scale(power=-power)
    return replace(inner, power=None if inner.power is None else inner.power * power, plain=False, counter=False)


def scale_of(node: Node, scales: Scales) -> Scale | None:
    """Return the scale of a part of an expression, None if it cannot be kept."""
    try:
        return _Reader(scales).scale(node)
    except NotCompressible:
        return None
