"""What arithmetic between two scales gives: powers add up in a product, and must be equal in a sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.harness.monitoring.promql.expression import Node, constant
from tocsin.harness.monitoring.promql.scaled_literals import Literals, describe
from tocsin.harness.monitoring.promql.time_dimension import (
    AGE,
    MOMENT,
    NUMBER,
    Scale,
    blank,
    moments,
    unknown,
    unknown_of,
)

_SHIFT = "what is added to a point in time"


def either(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    """Return the scale of `left or right`."""
    for own, part, other in ((left, node.parts[0], right), (right, node.parts[1], left)):
        if own.constant and not other.constant:
            if not blank(constant(part)) and other.known and other.power:
                literals.rewrite(part, other.power)
            return other
    if (left.power, left.moment, left.counter) == (right.power, right.moment, right.counter):
        return left
    signed = left.signed and right.signed
    return unknown("`or` joins what time divides differently", signed=signed)


def _plus(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    left_moment, right_moment = moments(left, right)
    if left_moment and right_moment:
        if node.name == "-":
            return AGE
        return unknown("a sum of points in time")
    if left_moment:
        literals.meet(node.parts[1], right, -1.0, _SHIFT)
        return MOMENT
    if right_moment:
        literals.meet(node.parts[0], left, -1.0, _SHIFT)
        return MOMENT
    return _sum(literals, node, left, right)


def _sum(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    for own, part, other in ((left, node.parts[0], right), (right, node.parts[1], left)):
        if own.constant:
            if blank(constant(part)):
                return other
            if other.power is None:
                return unknown(other.why, signed=False)
            literals.rewrite(part, other.power)
            return other.derived()
    if left.counter and right.counter:
        return left
    if left.power is None or right.power is None:
        return unknown_of(left, right, signed=False)
    if left.power != right.power:
        return unknown(f"`{node.name}` joins {describe(left)} and {describe(right)}", signed=False)
    return replace(left, plain=False, constant=False)


def _times(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    for own, other in ((left, right), (right, left)):
        if own.constant:
            return other
    return _product(left, right, 1.0, "product")


def _over(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    if right.constant:
        return left
    if left.counter and right.counter:
        return NUMBER
    if left.constant:
        return _product(NUMBER, right, -1.0, "ratio")
    return _product(left, right, -1.0, "ratio")


def _rest(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    literals.pair(node, node.parts[0], left, node.parts[1], right)
    if left.moment:
        return unknown("`%` of a point in time")
    return replace(left, plain=False, constant=False)


def _power(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    exponent = constant(node.parts[1])
    if not left.known or not right.known or right.power or (left.power and exponent is None):
        return unknown("`^` of what time divides", signed=False)
    return Scale(power=(left.power or 0.0) * (exponent or 0.0))


def _angle(literals: Literals, node: Node, left: Scale, right: Scale) -> Scale:
    literals.pair(node, node.parts[0], left, node.parts[1], right)
    return NUMBER


def _product(left: Scale, right: Scale, sign: float, name: str) -> Scale:
    if left.moment or right.moment:
        return unknown(f"a {name} with a point in time")
    if left.power is None or right.power is None:
        return unknown_of(left, right, signed=left.signed and right.signed)
    return Scale(power=left.power + sign * right.power)


OPERATORS: Mapping[str, Callable[[Literals, Node, Scale, Scale], Scale]] = {
    "+": _plus,
    "-": _plus,
    "*": _times,
    "/": _over,
    "%": _rest,
    "^": _power,
    "atan2": _angle,
}
"""Operator -> the scale of its result; numbers among its sides are written into the literals."""
