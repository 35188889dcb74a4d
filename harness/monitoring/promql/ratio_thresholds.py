"""Comparisons of a share with a threshold, such as errors / requests > 5 %: what decides how soon they turn true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tocsin.harness.monitoring.promql.expression import COMPARISONS, Node, bare, constant, walk
from tocsin.harness.monitoring.promql.function_table import RATES

_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}


@dataclass(frozen=True, kw_only=True)
class Share:
    """The bad share of `total` is compared with `threshold` over `window_s` production seconds.

    `part` is the selector of the bad ones, or of the good ones where `good`.
    """

    part: Node
    total: Node
    threshold: float
    window_s: float
    good: bool

    def picks(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the part holds series with these labels, as far as its matchers name them."""
        for op, label, value in self.part.matchers:
            if label in labels and op in ("Equal", "NotEqual") and (labels[label] == value) != (op == "Equal"):
                return False
        return True


def share_of(node: Node) -> Share | None:
    """Return the share that a comparison compares with a number, None if it compares something else."""
    node = bare(node)
    if node.kind != "binary" or node.name not in _FLIPPED:
        return None
    side, limit, op = node.parts[0], constant(node.parts[1]), node.name
    if limit is None:
        side, limit, op = node.parts[1], constant(node.parts[0]), _FLIPPED[node.name]
    if limit is None:
        return None
    factor, side = _scaled(side)
    ratio, inverted = _ratio(side)
    if ratio is None or factor <= 0:
        return None
    limit, above = limit / factor, op in (">", ">=")
    part, total, window_s = ratio
    return Share(
        part=part,
        total=total,
        threshold=limit if above else 1 - limit,
        window_s=window_s,
        good=inverted == above,
    )


def _scaled(node: Node) -> tuple[float, Node]:
    """Take constant factors off an expression: `100 * x / y` -> (100, x / y)."""
    node = bare(node)
    if node.kind != "binary" or node.name not in ("*", "/"):
        return 1.0, node
    left, right = node.parts
    by, of = constant(left), constant(right)
    if by is not None and node.name == "*":
        factor, inner = _scaled(right)
        return factor * by, inner
    if of:
        factor, inner = _scaled(left)
        return (factor * of if node.name == "*" else factor / of), inner
    (above, part), (below, total) = _scaled(left), _scaled(right)
    if node.name == "/" and below:
        return above / below, replace(node, parts=(part, total))
    return 1.0, node


def _ratio(node: Node) -> tuple[tuple[Node, Node, float] | None, bool]:
    """Return (part, total, window) of `part / total`, and whether it stands after `1 -`."""
    node = bare(node)
    if node.kind == "binary" and node.name == "-" and constant(node.parts[0]) == 1:
        ratio, inverted = _ratio(node.parts[1])
        return ratio, not inverted
    if node.kind != "binary" or node.name != "/":
        return None, False
    part, total = (_counted(side) for side in node.parts)
    if part is None or total is None or part[1] != total[1] or _family(part[0].name) != _family(total[0].name):
        return None, False
    return (part[0], total[0], part[1]), False


def _counted(node: Node) -> tuple[Node, float] | None:
    """Return the selector and window of one rate or increase, summed or guarded by a comparison with a number."""
    node = bare(node)
    if node.kind == "aggregate" and node.name == "sum":
        return _counted(node.parts[-1])
    if node.kind == "binary" and node.name in COMPARISONS and constant(node.parts[1]) is not None:
        return _counted(node.parts[0])
    if node.kind == "call" and node.name in RATES and node.parts[0].kind == "window":
        window = node.parts[0]
        return window.parts[0], window.durations_s[0]
    return None


def _family(metric: str) -> str:
    """Return a metric's name without what a histogram adds to it."""
    for ending in ("_bucket", "_count"):
        metric = metric.removesuffix(ending)
    return metric


def shares(node: Node) -> tuple[Share, ...]:
    """Return every comparison of a share in an expression."""
    candidates = [share_of(part) for part in walk(node)]
    return tuple(share for share in candidates if share is not None)
