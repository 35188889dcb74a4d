"""Alertmanager's routing tree as a value: which receivers an alert with these labels reaches, and after what timers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.untyped_data import items, mappings, text, texts

_MATCHER = re.compile(
    r'\s*(?P<label>"(?:[^"\\]|\\.)*"|[^\s!=~{},"]+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)'
)


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
    group_wait_s: float = 30.0
    group_interval_s: float = 300.0
    repeat_interval_s: float = 14400.0
    goes_on: bool = False
    """`continue`: later siblings are asked, too."""
    intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool | None:
        """Tell whether all matchers hold; None when that depends on a label that is not known."""
        answers = [matcher.holds(labels) for matcher in self.matchers]
        if False in answers:
            return False
        if None in answers:
            return None
        return True


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A route where an alert ends; `sure` unless that depends on labels which are not known."""

    route: Route
    sure: bool


def read_route(content: Mapping[str, object], parent: Route | None = None) -> Route:
    """Return the tree of Alertmanager's `route`, its defaults filled in and inherited downwards."""
    inherited = parent or Route(receiver="")
    intervals = [items(content.get(key)) for key in ("mute_time_intervals", "active_time_intervals")]
    route = replace(
        inherited,
        receiver=text(content.get("receiver")) or inherited.receiver,
        matchers=tuple(_matchers(content)) if parent else (),
        goes_on=bool(content.get("continue")),
        intervals=tuple(str(name) for names in intervals for name in names),
        routes=(),
        group_wait_s=_seconds(content.get("group_wait"), inherited.group_wait_s),
        group_interval_s=_seconds(content.get("group_interval"), inherited.group_interval_s),
        repeat_interval_s=_seconds(content.get("repeat_interval"), inherited.repeat_interval_s),
    )
    if "group_by" in content:
        route = replace(route, group_by=tuple(map(str, items(content["group_by"]))))
    return replace(route, routes=tuple(read_route(child, route) for child in mappings(content.get("routes"))))


def _seconds(written: object, inherited_s: float) -> float:
    return inherited_s if written is None else parse_duration(str(written))


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
    ends: list[Reached] = []
    certain, open_ = False, own is True
    for child in route.routes:
        answer = child.matches(labels)
        if answer is False:
            continue
        ends += [Reached(route=end.route, sure=end.sure and open_) for end in reached(child, labels)]
        certain = certain or answer is True
        if not child.goes_on:
            if answer is True:
                break
            open_ = False
    if not certain:
        ends.append(Reached(route=route, sure=own is True and not ends))
    return tuple(ends)


def _matchers(content: Mapping[str, object]) -> Iterable[Matcher]:
    given = content.get("matchers")
    for matcher in [given] if isinstance(given, str) else items(given):
        yield from parse_matchers(str(matcher))
    for key, op in (("match", "="), ("match_re", "=~")):
        for label, value in texts(content.get(key)).items():
            yield Matcher(label=label, op=op, value=value)


def parse_matchers(written: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text such as `{severity="page", team!~"a|b"}`; ValueError if it is none."""
    rest, matchers = written.strip().removeprefix("{").removesuffix("}").strip(), []
    while rest:
        match = _MATCHER.match(rest)
        if match is None:
            raise ValueError(f'{written!r} is no matcher such as severity="page"')
        matchers.append(Matcher(label=_unquoted(match["label"]), op=match["op"], value=_unquoted(match["value"])))
        rest = rest[match.end() :].strip()
    return tuple(matchers)


def _unquoted(written: str) -> str:
    if not written.startswith('"'):
        return written
    return re.sub(r"\\(.)", r"\1", written[1:-1])
