"""PromQL expressions as trees of plain values; the one place that calls the parser, whose nodes cannot be built.

Numbers are counted in the order in which they stand in the text, so that a rewrite can find them there again.
"""

from __future__ import annotations

import datetime
import math
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import promql_parser

from tocsin.harness.core.errors import TocsinError

Kind = Literal["number", "text", "selector", "window", "subquery", "call", "binary", "unary", "aggregate", "paren"]
COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
SETS = frozenset({"and", "or", "unless"})
_ABSENCE = frozenset({"absent", "absent_over_time"})
_WRAPPERS: Mapping[type, Kind] = {promql_parser.UnaryExpr: "unary", promql_parser.ParenExpr: "paren"}
_LIMIT = 1000


class NotCompressible(TocsinError):
    """An expression whose meaning cannot be kept when time is divided; `reason` is a short name of why."""

    exit_code = 64

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason or message


class NotPromql(NotCompressible):
    """A text that is not PromQL; `problem` is what the parser says."""

    def __init__(self, expr: str, problem: str) -> None:
        super().__init__(f"{expr!r} is not PromQL: {problem}.", hint="Run `promtool check rules`.", reason="not PromQL")
        self.problem = problem
        if "holt_winters" in problem:  # the parser knows it by its newer name only
            self.message = "`holt_winters()` smooths by the sample, which division of time would change."
            self.hint = "Play this at --speed 1."
            self.reason = "uses holt_winters()"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of an expression.

    `name` is the metric, function or operator; `detail` matchers or modifiers. `durations_s` are range, step and
    offset in production seconds (0 where none is written). `value` and `place` belong to a number: its place among the
    numbers of the text. `pinned`: it carries the modifier `@`. `matchers` are (operator, label, value).
    """

    kind: Kind
    name: str = ""
    detail: str = ""
    parts: tuple[Node, ...] = ()
    durations_s: tuple[float, ...] = ()
    value: float = math.nan
    place: int = -1
    pinned: bool = False
    matchers: tuple[tuple[str, str, str], ...] = ()
    filters: bool = True
    """A comparison that drops what does not hold; false with `bool`, where the value is 0 or 1."""


@lru_cache(maxsize=_LIMIT)
def parse(expr: str) -> Node:
    """Return the tree of a PromQL expression; NotPromql if it is not one."""
    try:
        tree = promql_parser.parse(expr)
    except ValueError as error:
        raise NotPromql(expr, " ".join(str(error).split())) from None
    return _read(tree, iter(range(len(expr) + 1)))


def parse_or_none(expr: str) -> Node | None:
    """Return the tree of a PromQL expression, None for a text that is not one."""
    try:
        return parse(expr)
    except NotPromql:
        return None


def _read(node: promql_parser.Expr, places: Iterator[int]) -> Node:
    match node:
        case promql_parser.NumberLiteral():
            return Node(kind="number", value=float(node.val), place=next(places))
        case promql_parser.StringLiteral():
            return Node(kind="text", detail=str(node.val))
        case promql_parser.VectorSelector():
            return _selector(node)
        case promql_parser.MatrixSelector():
            return Node(kind="window", parts=(_selector(node.vector_selector),), durations_s=(_seconds(node.range),))
        case promql_parser.SubqueryExpr():
            durations = (_seconds(node.range), _seconds(node.step), _seconds(node.offset))
            return Node(
                kind="subquery", parts=_read_all(places, node.expr), durations_s=durations, pinned=bool(node.at)
            )
        case promql_parser.Call():
            return Node(kind="call", name=str(node.func.name), parts=_read_all(places, *node.args))
        case promql_parser.BinaryExpr():
            return _binary(node, places)
        case promql_parser.AggregateExpr():
            parts = _read_all(places, node.param, node.expr)
            return Node(kind="aggregate", name=str(node.op), detail=str(node.modifier or ""), parts=parts)
        case promql_parser.UnaryExpr() | promql_parser.ParenExpr():
            return Node(kind=_WRAPPERS[type(node)], parts=_read_all(places, node.expr))
    raise TypeError(f"the PromQL parser returned a {type(node).__name__}, which is not known here")


def _read_all(places: Iterator[int], *nodes: promql_parser.Expr | None) -> tuple[Node, ...]:
    return tuple(_read(node, places) for node in nodes if node is not None)


def _selector(node: promql_parser.VectorSelector) -> Node:
    alternatives = [node.matchers.matchers, *(node.matchers.or_matchers or ())]
    matchers = tuple((str(each.op).removeprefix("MatchOp."), each.name, str(each.value)) for each in alternatives[0])
    named = [value for op, label, value in matchers if label == "__name__" and op == "Equal"]
    return Node(
        kind="selector",
        name=node.name or next(iter(named), ""),
        detail=" or ".join(str(each) for each in alternatives),
        durations_s=(_seconds(node.offset),),
        pinned=bool(node.at),
        matchers=matchers,
    )


def _binary(node: promql_parser.BinaryExpr, places: Iterator[int]) -> Node:
    parts = _read_all(places, node.lhs, node.rhs)
    name, modifier = str(node.op).split()[0], node.modifier
    if not modifier:
        return Node(kind="binary", name=name, parts=parts)
    matching = (modifier.card, modifier.matching, modifier.group_labels, modifier.return_bool)
    detail = " ".join(str(each) for each in matching)
    return Node(kind="binary", name=name, detail=detail, parts=parts, filters=not modifier.return_bool)


def _seconds(value: datetime.timedelta | None) -> float:
    return value.total_seconds() if isinstance(value, datetime.timedelta) else 0.0


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, in the order of the text."""
    yield node
    for part in node.parts:
        yield from walk(part)


def selectors(node: Node) -> Iterator[Node]:
    """Yield every selector of an expression, those inside windows included."""
    return (part for part in walk(node) if part.kind == "selector")


def bare(node: Node) -> Node:
    """Return what stands inside the parentheses around a node."""
    while node.kind == "paren":
        node = node.parts[0]
    return node


def metrics(node: Node) -> tuple[str, ...]:
    """Return the names of the metrics an expression reads, each once, in order; a nameless selector is left out."""
    return tuple(dict.fromkeys(selector.name for selector in selectors(node) if selector.name))


def needed_metrics(node: Node) -> set[str]:
    """Return the metrics an expression reads, without those inside `absent()`, which may be missing."""
    if node.kind == "selector" and node.name:
        return {node.name}
    if node.kind == "call" and node.name in _ABSENCE:
        return set()
    return set().union(*(needed_metrics(part) for part in node.parts))


def windows_s(node: Node, *, unless_in: Collection[str] = ()) -> tuple[float, ...]:
    """Return the ranges of an expression's windows and subqueries in production seconds, each once, ascending.

    Those that are arguments of the functions `unless_in` are left out.
    """
    nodes = list(walk(node))
    left_out = {id(part) for call in nodes if call.kind == "call" and call.name in unless_in for part in call.parts}
    windows = (each for each in nodes if each.kind in ("window", "subquery") and id(each) not in left_out)
    return tuple(sorted({window.durations_s[0] for window in windows}))


def constant(node: Node) -> float | None:
    """Return the value of an expression made of numbers only, such as `14.4 * 0.01`; None if it reads anything."""
    node = bare(node)
    if node.kind == "number":
        return node.value
    values = [value for part in node.parts if (value := constant(part)) is not None]
    if not values or len(values) < len(node.parts):
        return None
    if node.kind == "unary":
        return -values[0]
    if node.kind == "call" and node.name in ("vector", "scalar"):
        return values[0]
    if node.kind != "binary" or node.name not in _ARITHMETIC:
        return None
    try:
        return float(_ARITHMETIC[node.name](*values))
    except (ZeroDivisionError, OverflowError, TypeError):
        return math.nan


_ARITHMETIC: Mapping[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "^": operator.pow,
}
