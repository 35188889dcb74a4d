"""Alertmanager's routing tree as a value: which receivers an alert with these labels reaches, and after what timers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import parse_duration

_MATCHER = re.compile(
    r'\s*(?P<label>"(?:[^"\\]|\\.)*"|[^\s!=~{},"]+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)'
)
_DEFAULTS_S = (30.0, 300.0, 14400.0)
_TIMERS = ("group_wait", "group_interval", "repeat_interval")


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """`label` `op` `value`, where `op` is one of = != =~ !~."""

    label: str
    op: str
    value: str

    def holds(self, labels: Mapping[str, str]) -> bool | None:
        """Tell whether it holds; None where the label is not known, or its pattern is none of Python's."""
        if self.label not in labels:
            return None
        own = labels[self.label]
        if self.op in ("=", "!="):
            return (own == self.value) == (self.op == "=")
        try:
            return bool(re.fullmatch(self.value, own)) == (self.op == "=~")
        except re.error:
            return None


@dataclass(frozen=True, kw_only=True)
class Route:
    """A node of the tree with all it inherits; production seconds. `intervals` names its mute and active times."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait_s: float = _DEFAULTS_S[0]
    group_interval_s: float = _DEFAULTS_S[1]
    repeat_interval_s: float = _DEFAULTS_S[2]
    goes_on: bool = False
    """`continue`: later siblings are asked, too."""
    intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool | None:
        """Tell whether all matchers hold; None when that depends on a label that is not known."""
        answers = [matcher.holds(labels) for matcher in self.matchers]
        if False in answers:
            return False
        return None if None in answers else True


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A route where an alert ends; `sure` unless that depends on labels which are not known."""

    route: Route
    sure: bool


def read_route(content: Mapping[str, Any], parent: Route | None = None) -> Route:
    """Return the tree of Alertmanager's `route`, its defaults filled in and inherited downwards."""
    given = parent or Route(receiver="")
    timers = (given.group_wait_s, given.group_interval_s, given.repeat_interval_s)
    found = [
        parse_duration(str(content[name])) if name in content else own
        for name, own in zip(_TIMERS, timers, strict=True)
    ]
    route = Route(
        receiver=str(content.get("receiver") or given.receiver),
        matchers=tuple(_matchers(content)) if parent else (),
        group_by=tuple(map(str, content["group_by"])) if "group_by" in content else given.group_by,
        group_wait_s=found[0],
        group_interval_s=found[1],
        repeat_interval_s=found[2],
        goes_on=bool(content.get("continue")),
        intervals=tuple(
            str(name) for key in ("mute_time_intervals", "active_time_intervals") for name in content.get(key) or ()
        ),
    )
    return _with(route, tuple(read_route(child, route) for child in content.get("routes") or ()))


def _with(route: Route, routes: tuple[Route, ...]) -> Route:
    return Route(**{**vars(route), "routes": routes})


def all_routes(route: Route) -> Iterable[Route]:
    """Yield every node of the tree."""
    yield route
    for child in route.routes:
        yield from all_routes(child)


def reached(route: Route, labels: Mapping[str, str]) -> tuple[Reached, ...]:
    """Return where an alert ends: the deepest routes that match, siblings after one only if that goes on.

    A route is `sure` when it is reached whatever the labels that `labels` does not hold.
    """
    own = route.matches(labels)
    if own is False:
        return ()
    found: list[Reached] = []
    certain, open_ = False, own is True
    for child in route.routes:
        answer = child.matches(labels)
        if answer is False:
            continue
        found += [Reached(route=one.route, sure=one.sure and open_) for one in reached(child, labels)]
        certain = certain or answer is True
        if not child.goes_on:
            if answer is True:
                break
            open_ = False
    if not certain:
        found.append(Reached(route=route, sure=own is True and not found))
    return tuple(found)


def _matchers(content: Mapping[str, Any]) -> Iterable[Matcher]:
    given = content.get("matchers") or ()
    for text in [given] if isinstance(given, str) else given:
        yield from parse_matchers(str(text))
    for key, op in (("match", "="), ("match_re", "=~")):
        for label, value in (content.get(key) or {}).items():
            yield Matcher(label=str(label), op=op, value=str(value))


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text such as `{severity="page", team!~"a|b"}`; ValueError if it is none."""
    rest, found = text.strip().removeprefix("{").removesuffix("}").strip(), []
    while rest:
        match = _MATCHER.match(rest)
        if match is None:
            raise ValueError(f'{text!r} is no matcher such as severity="page"')
        label, value = (_unquoted(match[name]) for name in ("label", "value"))
        found.append(Matcher(label=label, op=match["op"], value=value))
        rest = rest[match.end() :].strip()
    return tuple(found)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] == '"' else text
