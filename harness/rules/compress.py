"""Divide every duration of a PromQL expression or rule file by K, in the text, and verify it on the syntax tree.

The parser's nodes cannot be built or printed without loss, so tokens are rewritten in the text and both texts are
parsed: the trees must be equal but for durations, and each duration must be the original divided by K (to 1 ms).
Beyond durations, `time() - x > s` gets its literal divided. What cannot be kept is refused by name.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser
from ruamel.yaml import YAML

from harness.clock import format_duration, parse_duration
from harness.errors import TocsinError

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)"""
    r"""|(?P<duration>(?<![\w.])(?:\d+(?:ms|[smhdwy]))+(?![\w]))"""
    r"""|(?P<number>(?<![\w.])(?:0x[0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![\w]))|(?P<word>[a-zA-Z_][\w:]*)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_REFUSED = {
    **{
        name: "reads the calendar"
        for name in ("hour", "minute", "day_of_week", "day_of_month", "day_of_year", "month", "year", "days_in_month")
    },
    **{
        name: "gives a value per second"
        for name in ("predict_linear", "deriv", "delta", "idelta", "holt_winters", "double_exponential_smoothing")
    },
}
_COMPARISONS = {">", "<", ">=", "<=", "==", "!="}


class NotCompressible(TocsinError):
    """An expression whose meaning cannot be kept when time is divided; the message names the reason."""

    exit_code = 64


@dataclass
class _Tree:
    skeleton: list[Any]
    durations_s: list[float]
    literals: list[float]
    timed: set[int]


def compress_expr(expr: str, speed: float) -> str:
    """Return `expr` with every duration divided by `speed`; NotCompressible if that changes its meaning."""
    before = _tree(_parse(expr))
    number = iter(range(len(before.literals)))

    def rewrite(match: re.Match[str]) -> str:
        if match.lastgroup == "duration":
            return _short(parse_duration(match.group()), speed)
        if match.lastgroup == "number" and next(number, -1) in before.timed:
            return f"{float(match.group()) / speed:.12g}"
        return match.group()

    after_text = _TOKEN.sub(rewrite, expr)
    _verify(before, _tree(_parse(after_text)), speed, expr)
    return after_text


def compress_rules(text: str, speed: float) -> str:
    """Return a rule file with intervals, `for`, `keep_firing_for` and expressions divided by `speed`."""
    yaml = YAML()
    yaml.width = 4096
    content = yaml.load(text) or {}
    for group in content.get("groups") or ():
        _shorten(group, ("interval", "query_offset"), speed)
        for rule in group.get("rules") or ():
            _shorten(rule, ("for", "keep_firing_for"), speed)
            rule["expr"] = compress_expr(str(rule["expr"]), speed)
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _shorten(mapping: Any, keys: tuple[str, ...], speed: float) -> None:
    for key in keys:
        if key in mapping:
            mapping[key] = _short(parse_duration(str(mapping[key])), speed)


def _short(seconds: float, speed: float) -> str:
    text = format_duration(seconds / speed)
    return "1ms" if text == "0s" and seconds > 0 else text


def _parse(expr: str) -> Any:
    try:
        return promql_parser.parse(expr)
    except ValueError as error:
        raise NotCompressible(f"{expr!r} is not PromQL: {error}.", hint="Run `promtool check rules`.") from None


def _tree(node: Any) -> _Tree:
    tree = _Tree([], [], [], set())
    _walk(node, tree)
    return tree


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, datetime.timedelta) else 0.0


def _walk(node: Any, tree: _Tree) -> None:
    kind = type(node).__name__
    tree.skeleton.append(kind)
    if getattr(node, "at", None) is not None:
        raise NotCompressible(
            "The modifier `@` pins a query to a moment, which cannot be divided.", hint="Play this at --speed 1."
        )
    for name in ("range", "step", "offset"):
        if hasattr(node, name):
            tree.durations_s.append(_seconds(getattr(node, name)))
    note = _NOTES.get(kind)
    if note is not None:
        note(node, tree)
    for name in ("param", "vector_selector", "expr"):
        if getattr(node, name, None) is not None:
            _walk(getattr(node, name), tree)


def _call(node: Any, tree: _Tree) -> None:
    name = node.func.name
    if name in _REFUSED:
        raise NotCompressible(
            f"`{name}()` {_REFUSED[name]}, which division of time would change.", hint="Play this at --speed 1."
        )
    tree.skeleton.append(name)
    for argument in node.args:
        _walk(argument, tree)


def _binary(node: Any, tree: _Tree) -> None:
    tree.skeleton.append((str(node.op), str(node.modifier)))
    compared = str(node.op) in _COMPARISONS
    _walk(node.lhs, tree)
    first = len(tree.literals)
    _walk(node.rhs, tree)
    literal = type(node.rhs).__name__ == "NumberLiteral"
    called = _calls(node.lhs) | _calls(node.rhs)
    if compared and "increase" in called and not (literal and node.rhs.val == 0):
        raise NotCompressible(
            "`increase()` compared with a number counts events, of which K times fewer happen.",
            hint="Compare a rate instead.",
        )
    if compared and "time" in called:
        if not literal or "time" in _calls(node.rhs) or _literals(node.lhs):
            raise NotCompressible(
                "`time()` is only kept in the form `time() - x > seconds`.",
                hint="Write the age on the left, one number on the right.",
            )
        tree.timed.add(first)


def _selector(node: Any, tree: _Tree) -> None:
    tree.skeleton.append((node.name, str(node.prettify()).split(" offset")[0]))


_NOTES: Mapping[str, Callable[[Any, _Tree], None]] = {
    "NumberLiteral": lambda node, tree: tree.literals.append(node.val),
    "StringLiteral": lambda node, tree: tree.skeleton.append(node.val),
    "VectorSelector": _selector,
    "Call": _call,
    "BinaryExpr": _binary,
    "AggregateExpr": lambda node, tree: tree.skeleton.append((str(node.op), str(node.modifier))),
}
"""What a kind of node adds to the tree beyond its durations and its parts."""


def _children(node: Any) -> list[Any]:
    found = [
        getattr(node, name)
        for name in ("lhs", "rhs", "expr", "param", "vector_selector")
        if getattr(node, name, None) is not None
    ]
    return found + list(getattr(node, "args", None) or ())


def _calls(node: Any) -> set[str]:
    own = {node.func.name} if type(node).__name__ == "Call" else set()
    return own.union(*(_calls(child) for child in _children(node)))


def _literals(node: Any) -> bool:
    return type(node).__name__ == "NumberLiteral" or any(_literals(child) for child in _children(node))


def _verify(before: _Tree, after: _Tree, speed: float, expr: str) -> None:
    wrong = before.skeleton != after.skeleton or len(before.literals) != len(after.literals)
    wrong = wrong or len(before.durations_s) != len(after.durations_s)
    for old, new in zip(before.durations_s, after.durations_s, strict=False):
        wrong = wrong or abs(new - old / speed) > 0.001
    for index, (old, new) in enumerate(zip(before.literals, after.literals, strict=False)):
        wanted = old / speed if index in before.timed else old
        wrong = wrong or not (
            new == wanted or abs(new - wanted) <= 1e-9 * abs(wanted) or (new != new and wanted != wanted)
        )
    if wrong:
        raise NotCompressible(
            f"{expr!r} reads differently after its durations were divided by {speed:g}.", hint="Play it at --speed 1."
        )
