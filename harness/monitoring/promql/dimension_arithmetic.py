"""What arithmetic between two scales gives, and which numbers must be multiplied by a power of K to keep it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.harness.monitoring.promql.expression import Node, NotCompressible, bare, constant
from tocsin.harness.monitoring.promql.time_dimension import AGE, MOMENT, NUMBER, Scale, blank, moments, unknown

AT_SPEED_ONE = "Play this at --speed 1."
_IN_WORDS = {0.0: "a value that time does not divide", -1.0: "a duration or a number of events", 1.0: "a slope"}
_SHIFT = "what is added to a point in time"


class Literals:
    """Place of a number -> the power of K it must be multiplied by, in `powers`."""

    def __init__(self) -> None:
        self.powers: dict[int, float] = {}

    def pair(self, node: Node, first: Node, left: Scale, second: Node, right: Scale) -> None:
        """Bring two sides that are compared to one scale, or refuse."""
        if left.constant and right.constant:
            return
        for own, part, other in ((left, first, right), (right, second, left)):
            if own.constant:
                if not (blank(constant(part)) and other.signed):
                    self._meet_constant(node, part, other)
                return
        times = moments(left, right)
        if all(times) or (left.counter and right.counter):
            return
        for side in (left, right):
            if side.power is None:
                raise refusal(node, side.why)
        if any(times) or left.power != right.power:
            raise refusal(node, f"{describe(left)} meets {describe(right)}")

    def _meet_constant(self, node: Node, part: Node, other: Scale) -> None:
        if other.power is None or other.moment:
            raise refusal(node, other.why or "a point in time meets a number")
        self.rewrite(part, other.power)

    def meet(self, part: Node, scale: Scale, power: float, name: str) -> None:
        """Ask a part to be of a power, or refuse."""
        if scale.constant:
            self.rewrite(part, power)
        elif not scale.known or scale.power != power:
            raise NotCompressible(
                f"{name[0].upper()}{name[1:]} is {scale.why or describe(scale)}, not a duration.",
                hint=AT_SPEED_ONE,
                reason=f"{name} is not a duration",
            )

    def rewrite(self, node: Node, power: float) -> None:
        """Multiply an expression of numbers by K ** power: one factor of a product, every term of a sum."""
        node = bare(node)
        if power == 0 or blank(constant(node)):
            return
        if node.kind == "number":
            self.powers[node.place] = power
        elif node.kind in ("unary", "call") or node.name in ("*", "/"):
            self.rewrite(node.parts[0], power)
        elif node.name in ("+", "-"):
            for part in node.parts:
                self.rewrite(part, power)
        else:
            raise refusal(node, f"a number made by `{node.name}` cannot be rewritten")


def describe(scale: Scale) -> str:
    """Return a scale in words."""
    if scale.moment:
        return "a point in time"
    if scale.power is None:
        return "a value that time does not divide"
    return _IN_WORDS.get(scale.power, f"a value times K^{scale.power:g}")


def refusal(node: Node, why: str) -> NotCompressible:
    """Return the error of an operator whose meaning cannot be kept."""
    return NotCompressible(
        f"`{node.name}` cannot be kept: {why}.",
        hint="Compare a rate or a ratio, declare the metric in stack.yaml's `scales`, or play this at --speed 1.",
        reason=why,
    )


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
        return _unknown_of(left, right, signed=False)
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
        return _unknown_of(left, right, signed=left.signed and right.signed)
    return Scale(power=left.power + sign * right.power)


def _unknown_of(left: Scale, right: Scale, *, signed: bool) -> Scale:
    """Return the scale of what is made of two values of which the first or the second is unknown."""
    reasons = [scale.why for scale in (left, right) if scale.power is None]
    return unknown(reasons[0], signed=signed)


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
