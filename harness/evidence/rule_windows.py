"""Windows: how far back an alert's expression looks, and what a history shorter than that does to its detection time.

A share of the last hour (`bad / all > threshold`) is slow to rise in production, where an hour of healthy traffic
dilutes it. After H seconds of history it is diluted by those H alone. A fault that turns the share s of the traffic bad
is seen over a window W after

    warm:  t / W * s > threshold            t = threshold * W / s
    cold:  t * s / (H + t) > threshold      t = threshold * H / (s - threshold)

Without a threshold to read, the difference is at most W * (1 - sqrt(H / W))^2, the worst case over all thresholds
for s = 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin.harness.monitoring.promql.expression import Node, bare, constant, parse_or_none, walk

_COMPARISONS = {">", ">="}
_MEANS = {"avg_over_time", "quantile_over_time", "stddev_over_time", "stdvar_over_time"}
_RATES = {"rate", "increase"}
_DEEPEST = 4
"""Recordings of recordings that are followed."""


@dataclass(frozen=True, kw_only=True)
class ShortHistory:
    """What a short history does to an alert. Production seconds.

    `optimistic_s` is how much sooner it is seen than with full windows; `exact` is false where it is only the most it
    can be. `warm_s` and `cold_s` are how long the fault must last for the expression to become true; None: not known.
    """

    window_s: float
    history_s: float
    optimistic_s: float
    exact: bool
    warm_s: float | None = None
    cold_s: float | None = None

    def __str__(self) -> str:
        about = f"its window of {self.window_s:g} s has {max(self.history_s, 0):.0f} s of history"
        if self.exact:
            times = f"true after {self.cold_s:.0f} s of fault, in production after {self.warm_s:.0f} s"
            return f"{about}, so its time is optimistic by {self.optimistic_s:.0f} s ({times})"
        return f"{about}, so its time is optimistic by up to {self.optimistic_s:.0f} s"


def longest_window_s(expr: str) -> float:
    """Return the longest reach of an expression into the past, production seconds; 0 if it looks at now only."""
    node = parse_or_none(expr)
    return 0.0 if node is None else _reach(node)


def short_history(
    expr: str, history_s: float, share: float = 1.0, recorded: Mapping[str, str] | None = None
) -> ShortHistory | None:
    """Return what so little history does to an alert, None if every window that dilutes is full.

    `share` is the part of the traffic that the fault turns bad; `recorded` maps metrics that rules record to their
    expressions, which are read in their place.
    """
    node = parse_or_none(_inlined(expr, recorded or {}))
    if node is None:
        return None
    window_s = max(_diluting(node), default=0.0)
    if window_s <= max(history_s, 0.0):
        return None
    warm_s, cold_s = _needed(node, None, share), _needed(node, max(history_s, 0.0), share)
    most = window_s * (1 - math.sqrt(max(history_s, 0.0) / window_s)) ** 2
    history = ShortHistory(window_s=window_s, history_s=history_s, optimistic_s=most, exact=False)
    if warm_s is None or cold_s is None:
        return history
    return replace(history, optimistic_s=max(warm_s - cold_s, 0.0), exact=True, warm_s=warm_s, cold_s=cold_s)


def _inlined(expr: str, recorded: Mapping[str, str]) -> str:
    """Return an expression in which recorded metrics, but for those inside windows, are what they are recorded from."""
    for _ in range(_DEEPEST):
        names = [name for name in recorded if name in expr]
        if not names:
            break
        pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        inlined = re.sub(
            rf"(?<![\w:])({pattern})(?![\w:])(?:\{{[^}}]*\}})?(?!\s*\[)",
            lambda match: f"({recorded[match.group(1)]})",
            expr,
        )
        if inlined == expr or parse_or_none(inlined) is None:
            break
        expr = inlined
    return expr


def _reach(node: Node) -> float:
    own_s = max((_reach(part) for part in node.parts), default=0.0)
    if node.kind == "window":
        own_s += node.durations_s[0]
    elif node.kind == "selector":
        own_s += max(node.durations_s[0], 0.0)
    elif node.kind == "subquery":
        range_s, _, offset_s = node.durations_s
        own_s += range_s + max(offset_s, 0.0)
    return own_s


def _diluting(node: Node) -> Iterator[float]:
    """Yield the windows whose value is a share or a mean of what they hold: parts of a quotient, and means."""
    yield from map(_reach, _calls(node, _MEANS))
    for part in walk(node):
        if part.kind == "binary" and part.name == "/":
            yield from map(_reach, _calls(part, _RATES))


def _calls(node: Node, names: Collection[str]) -> Iterator[Node]:
    return (part for part in walk(node) if part.kind == "call" and part.name in names)


def _needed(node: Node, history_s: float | None, share: float) -> float | None:
    """Return how long the fault must last for a comparison, or several joined by `and` and `or`, to become true."""
    node = bare(node)
    if node.kind != "binary":
        return None
    left, right = node.parts
    if node.name in ("and", "or"):
        times = [_needed(side, history_s, share) for side in node.parts]
        if None in times:
            return None
        choose = max if node.name == "and" else min
        return choose(time_s for time_s in times if time_s is not None)
    windows, threshold = set(_diluting(left)), _number(right)
    if node.name not in _COMPARISONS or threshold is None or len(windows) != 1 or not 0 < threshold < share:
        return None
    if any(_calls(left, _MEANS)):
        return None
    window_s = windows.pop()
    if history_s is None or history_s >= window_s:
        return threshold * window_s / share
    return min(threshold * history_s / (share - threshold), threshold * window_s / share)


def _number(node: Node) -> float | None:
    """Return the value of a number or of a product or quotient of numbers such as `14.4 * 0.001`."""
    node = bare(node)
    if node.kind == "number":
        return node.value
    if node.kind != "binary" or node.name not in ("*", "/"):
        return None
    return constant(node)
