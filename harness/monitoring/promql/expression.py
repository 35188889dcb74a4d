"""A PromQL expression as a small tree of plain values, read from the parser's own nodes, which cannot be built.

Numbers are counted in the order in which they stand in the text, so that a rewrite can find them there again.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import promql_parser

from tocsin.harness.core.errors import TocsinError

Kind = Literal["number", "text", "selector", "window", "subquery", "call", "binary", "unary", "aggregate", "paren"]
COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
SETS = frozenset({"and", "or", "unless"})
_LIMIT = 1000


class NotCompressible(TocsinError):
    """An expression whose meaning cannot be kept when time is divided; `reason` is a short name of why."""

    exit_code = 64

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason or message


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
    """Return the tree of a PromQL expression; NotCompressible if it is not one."""
    try:
        tree = promql_parser.parse(expr)
    except ValueError as error:
        words = " ".join(str(error).split())
        if "holt_winters" in words:  # what the parser calls by its newer name
            raise NotCompressible(
                "`holt_winters()` smooths by the sample, which division of time would change.",
                hint="Play this at --speed 1.",
                reason="uses holt_winters()",
            ) from None
        raise NotCompressible(
            f"{expr!r} is not PromQL: {words}.", hint="Run `promtool check rules`.", reason="not PromQL"
        ) from None
    return _read(tree, iter(range(len(expr) + 1)))


def _read(node: Any, places: Iterator[int]) -> Node:
    kind = type(node).__name__
    if kind == "NumberLiteral":
        return Node(kind="number", value=float(node.val), place=next(places))
    if kind == "StringLiteral":
        return Node(kind="text", detail=str(node.val))
    if kind == "VectorSelector":
        return _selector(node)
    if kind == "MatrixSelector":
        inner = _selector(node.vector_selector)
        return Node(kind="window", parts=(inner,), durations_s=(_seconds(node.range),))
    if kind == "SubqueryExpr":
        durations = (_seconds(node.range), _seconds(node.step), _seconds(node.offset))
        return Node(kind="subquery", parts=(_read(node.expr, places),), durations_s=durations, pinned=bool(node.at))
    if kind == "Call":
        parts = tuple(_read(argument, places) for argument in node.args)
        return Node(kind="call", name=str(node.func.name), parts=parts)
    if kind == "BinaryExpr":
        return _binary(node, places)
    if kind == "AggregateExpr":
        found = [_read(part, places) for part in (node.param, node.expr) if part is not None]
        return Node(kind="aggregate", name=str(node.op), detail=str(node.modifier or ""), parts=tuple(found))
    named: Kind = "unary" if kind == "UnaryExpr" else "paren"
    return Node(kind=named, parts=(_read(node.expr, places),))


def _selector(node: Any) -> Node:
    alternatives = [node.matchers.matchers, *(node.matchers.or_matchers or ())]
    matchers = tuple((str(one.op).removeprefix("MatchOp."), one.name, str(one.value)) for one in alternatives[0])
    named = [value for op, label, value in matchers if label == "__name__" and op == "Equal"]
    return Node(
        kind="selector",
        name=node.name or (named[0] if named else ""),
        detail=" or ".join(str(found) for found in alternatives),
        durations_s=(_seconds(node.offset),),
        pinned=bool(node.at),
        matchers=matchers,
    )


def _binary(node: Any, places: Iterator[int]) -> Node:
    modifier = node.modifier
    told = (modifier.card, modifier.matching, modifier.group_labels, modifier.return_bool) if modifier else ()
    parts = (_read(node.lhs, places), _read(node.rhs, places))
    detail = " ".join(str(one) for one in told)
    return Node(
        kind="binary", name=str(node.op).split()[0], detail=detail, parts=parts, filters=not (told and told[-1])
    )


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, datetime.timedelta) else 0.0


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, in the order of the text."""
    yield node
    for part in node.parts:
        yield from walk(part)


def bare(node: Node) -> Node:
    """Return what stands inside the parentheses around a node."""
    while node.kind == "paren":
        node = node.parts[0]
    return node


def metrics(node: Node) -> tuple[str, ...]:
    """Return the names of the metrics an expression reads, each once, in order; a nameless selector is left out."""
    return tuple(dict.fromkeys(one.name for one in walk(node) if one.kind == "selector" and one.name))


def windows_s(node: Node, *, unless_in: Collection[str] = ()) -> tuple[float, ...]:
    """Return the ranges of an expression's windows and subqueries in production seconds, each once, ascending.

    Those that are arguments of the functions `unless_in` are left out.
    """
    found = list(walk(node))
    left = {id(part) for one in found if one.kind == "call" and one.name in unless_in for part in one.parts}
    wanted = (one for one in found if one.kind in ("window", "subquery") and id(one) not in left)
    return tuple(sorted({one.durations_s[0] for one in wanted}))


def constant(node: Node) -> float | None:
    """Return the value of an expression made of numbers only, such as `14.4 * 0.01`; None if it reads anything."""
    node = bare(node)
    if node.kind == "number":
        return node.value
    if node.kind == "unary" or (node.kind == "call" and node.name in ("vector", "scalar")):
        inner = constant(node.parts[0])
        return None if inner is None else (-inner if node.kind == "unary" else inner)
    if node.kind != "binary" or node.name not in _ARITHMETIC:
        return None
    left, right = (constant(part) for part in node.parts)
    if left is None or right is None:
        return None
    try:
        return float(_ARITHMETIC[node.name](left, right))
    except (ZeroDivisionError, OverflowError, TypeError):
        return math.nan


_ARITHMETIC = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": math.fmod,
    "^": lambda a, b: a**b,
}
