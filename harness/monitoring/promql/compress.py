"""Divide time in a PromQL expression or rule file by K, in the text, and verify it on the syntax tree.

The parser's nodes cannot be built or printed without loss, so tokens are rewritten in the text and both texts are
parsed: the trees must be equal but for durations, each the original divided by K (to 1 ms), and for the numbers that
the dimensional analysis names, each the original times its power of K. What cannot be kept is refused by name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, MutableMapping

from ruamel.yaml import YAML

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.monitoring.promql.compression_analysis import Scales, analyse
from tocsin.harness.monitoring.promql.expression import Node, NotCompressible, parse, walk
from tocsin.harness.monitoring.promql.rule_files import recorded, rule_groups

__all__ = ["NotCompressible", "compress_expr", "compress_rules"]

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)"""
    r"""|(?P<duration>(?<![\w.])(?:\d+(?:ms|[smhdwy]))+(?![\w]))"""
    r"""|(?P<number>(?<![\w.])(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![\w])"""
    r"""|(?<![\w.:])(?:[iI][nN][fF]|[nN][aA][nN])(?![\w:]))"""
    r"""|(?P<word>[a-zA-Z_][\w:]*)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ROUNDING_S = 0.001


def compress_expr(expr: str, speed: float, scales: Scales | None = None) -> str:
    """Return `expr` for a drill at `speed`; NotCompressible if its meaning cannot be kept.

    `scales` tells what is known of metrics; without it, only their names count.
    """
    before = parse(expr)
    powers = analyse(expr, scales or Scales()).powers
    places = iter(range(len(expr)))

    def rewrite(match: re.Match[str]) -> str:
        if match.lastgroup == "duration":
            return _short(parse_duration(match.group()), speed)
        if match.lastgroup == "number":
            power = powers.get(next(places), 0.0)
            if power:
                return f"{_value(match.group()) * speed**power:.15g}"
        return match.group()

    text = _TOKEN.sub(rewrite, expr)
    _verify(before, parse(text), speed, powers, expr)
    return text


def compress_rules(text: str, speed: float, scales: Scales | None = None) -> str:
    """Return a rule file with intervals, `for`, `keep_firing_for` and expressions for a drill at `speed`.

    Without `scales` the file's own recording rules are known, and no others.
    """
    yaml = YAML()
    yaml.width = 4096
    content = yaml.load(text) or {}
    known = scales or Scales(recorded=recorded(rule_groups(content)))
    for group in content.get("groups") or ():
        _shorten(group, ("interval", "query_offset"), speed)
        for rule in group.get("rules") or ():
            _shorten(rule, ("for", "keep_firing_for"), speed)
            rule["expr"] = compress_expr(str(rule["expr"]), speed, known)
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _shorten(mapping: MutableMapping[str, object], keys: tuple[str, ...], speed: float) -> None:
    for key in keys:
        if key in mapping:
            mapping[key] = _short(parse_duration(str(mapping[key])), speed)


def _short(seconds: float, speed: float) -> str:
    text = format_duration(seconds / speed)
    return "1ms" if text == "0s" and seconds > 0 else text


def _value(text: str) -> float:
    if text[:2] in ("0x", "0X"):
        return float(int(text, 16))
    return float(text)


def _verify(before: Node, after: Node, speed: float, powers: Mapping[int, float], expr: str) -> None:
    old, new = list(walk(before)), list(walk(after))
    same = len(old) == len(new) and all(
        _structure(node) == _structure(rewritten)
        and _divided(node.durations_s, rewritten.durations_s, speed)
        and _multiplied(node, rewritten, speed ** powers.get(node.place, 0.0))
        for node, rewritten in zip(old, new, strict=True)
    )
    if not same:
        raise NotCompressible(
            f"{expr!r} reads differently after its durations were divided by {speed:g}.",
            hint="Play it at --speed 1.",
            reason="reads differently after the rewrite",
        )


def _structure(node: Node) -> tuple[object, ...]:
    return (node.kind, node.name, node.detail, node.filters, node.pinned, node.place, len(node.parts))


def _divided(old_s: tuple[float, ...], new_s: tuple[float, ...], speed: float) -> bool:
    pairs = zip(old_s, new_s, strict=False)
    return len(old_s) == len(new_s) and all(abs(new - old / speed) <= _ROUNDING_S for old, new in pairs)


def _multiplied(old: Node, new: Node, factor: float) -> bool:
    if old.kind != "number" or (old.value != old.value and new.value != new.value):
        return True
    wanted = old.value * factor
    return new.value == wanted or abs(new.value - wanted) <= 1e-9 * abs(wanted)
