"""The numbers of an expression that must be multiplied by a power of K, found by what they meet."""

from __future__ import annotations

from tocsin.harness.monitoring.promql.expression import Node, NotCompressible, bare, constant
from tocsin.harness.monitoring.promql.time_dimension import Scale, blank, moments

AT_SPEED_ONE = "Play this at --speed 1."
_IN_WORDS = {0.0: "a value that time does not divide", -1.0: "a duration or a number of events", 1.0: "a slope"}


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
