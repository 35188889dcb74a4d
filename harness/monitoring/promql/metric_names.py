"""Expressions: a PromQL expression as the parser's tree, a way through it, and which metrics it reads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import promql_parser

_ABSENCE = ("absent", "absent_over_time")
_NAME = "__name__"
_BELOW = ("lhs", "rhs", "expr", "param", "vector_selector")


@lru_cache(maxsize=512)
def tree(expr: str) -> Any:
    """Return the tree of an expression, None for what is not PromQL."""
    try:
        return promql_parser.parse(expr)
    except ValueError:
        return None


def below(node: Any) -> list[Any]:
    """Return the parts of a node of a tree; none of None."""
    found = [getattr(node, name) for name in _BELOW if getattr(node, name, None) is not None]
    return found + list(getattr(node, "args", None) or ())


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and everything below it; nothing of None."""
    if node is not None:
        yield node
    for part in below(node):
        yield from walk(part)


def selectors(node: Any) -> Iterator[Any]:
    """Yield every selector of a tree, those inside windows included; nothing of None."""
    return (one for one in walk(node) if isinstance(one, promql_parser.VectorSelector))


def metric_names(expr: str) -> set[str]:
    """Return the metrics that an expression reads, those inside `absent()` left out: they may be missing.

    A selector without an exact name (`{__name__=~"..."}`) has none. ValueError for what is not PromQL.
    """
    found: set[str] = set()
    todo: list[Any] = [promql_parser.parse(expr)]
    while todo:
        node = todo.pop()
        if isinstance(node, promql_parser.VectorSelector):
            found |= {name for name in [node.name or _matched(node)] if name}
        elif not isinstance(node, promql_parser.Call) or node.func.name not in _ABSENCE:
            todo += below(node)
    return found


def _matched(selector: Any) -> str:
    equal = promql_parser.MatchOp.Equal
    return next((one.value for one in selector.matchers.matchers if one.name == _NAME and one.op == equal), "")
