"""Expressions: which metrics a PromQL expression reads."""

from __future__ import annotations

from typing import Any

import promql_parser

_ABSENCE = ("absent", "absent_over_time")
_NAME = "__name__"


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
        elif isinstance(node, promql_parser.MatrixSelector):
            todo.append(node.vector_selector)
        elif isinstance(node, promql_parser.Call):
            todo += [] if node.func.name in _ABSENCE else list(node.args)
        elif isinstance(node, promql_parser.BinaryExpr):
            todo += [node.lhs, node.rhs]
        else:
            todo += [part for part in (getattr(node, "expr", None), getattr(node, "param", None)) if part is not None]
    return found


def _matched(selector: Any) -> str:
    equal = promql_parser.MatchOp.Equal
    return next((one.value for one in selector.matchers.matchers if one.name == _NAME and one.op == equal), "")
