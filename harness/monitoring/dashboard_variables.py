"""Fills in the variables of a query as Grafana does: its own (`$__interval`) and those of the dashboard.

https://grafana.com/docs/grafana/latest/dashboards/variables/ says how they are written: `$name`, `${name}`,
`${name:format}`, `[[name]]`. A choice of several values becomes a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import format_duration

ALL = "$__all"
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?(?:\.\w+)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]")
_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?:(.+?)\s*,\s*)?([a-zA-Z_]\w*)\s*\)\s*", re.DOTALL)
_NUMBERS = ("__interval_ms", "__range_s", "__range_ms")
_SPECIAL = re.compile(r"[\\^$*+?.()|{}\[\]]")


class Unresolved(Exception):
    """A variable that cannot be filled in; the message is a sentence."""


class NoValue(Unresolved):
    """A variable for which the server knows no value: the series or the label it is taken from is not there."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """What the time range makes of Grafana's own variables, production seconds."""

    interval_s: float
    scrape_s: float
    range_s: float

    def values(self) -> dict[str, str]:
        """Return Grafana's own variables: the rate interval is four scrapes, or a step and a scrape if that is more."""
        rate_s = max(self.interval_s + self.scrape_s, 4 * self.scrape_s)
        durations = {"__interval": self.interval_s, "__rate_interval": rate_s, "__range": self.range_s}
        return {name: format_duration(seconds) for name, seconds in durations.items()}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is chosen for a variable of a dashboard. `pattern`: several values may be chosen, so it is a pattern."""

    values: tuple[str, ...]
    pattern: bool = False

    def text(self, form: str) -> str:
        """Return it as a query shows it; `form` is the format asked for, empty for the data source's own."""
        if form in ("raw", "csv"):
            return ",".join(self.values)
        if form == "pipe":
            return "|".join(self.values)
        if not self.pattern and form != "regex":
            return self.values[0].replace("\\", "\\\\").replace('"', '\\"')
        escaped = [_SPECIAL.sub(lambda match: f"\\\\{match.group()}", value) for value in self.values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def choose(variables: Sequence[Mapping[str, Any]], label_values: Callable[[str, str], list[str]]) -> dict[str, Choice]:
    """Return what is chosen for each variable when the dashboard is opened; Unresolved names one that has no value.

    `label_values(selector, label)` asks the server; the selector is empty for every series. An earlier variable may
    stand in a later one.
    """
    chosen: dict[str, Choice] = {}
    for variable in variables:
        name, kind = str(variable.get("name")), variable.get("type")
        if kind in ("datasource", "adhoc"):
            continue
        several = bool(variable.get("multi") or variable.get("includeAll"))
        current = (variable.get("current") or {}).get("value")
        values = [str(one) for one in (current if isinstance(current, list) else [current]) if one not in (None, "")]
        if kind == "query" and (not values or ALL in values):
            values = _asked(name, variable, chosen, label_values)
            values = values if variable.get("includeAll") else values[:1]
        elif kind in ("custom", "interval") and (not values or ALL in values):
            values = [one.strip() for one in str(variable.get("query") or "").split(",") if one.strip()]
        elif not values:
            values = [str(variable.get("query") or "")]
        chosen[name] = Choice(values=tuple(values), pattern=several)
    return chosen


def _asked(
    name: str,
    variable: Mapping[str, Any],
    chosen: Mapping[str, Choice],
    label_values: Callable[[str, str], list[str]],
) -> list[str]:
    query = variable.get("query")
    text = str(query.get("query") if isinstance(query, Mapping) else query or variable.get("definition") or "")
    match = _LABEL_VALUES.fullmatch(text)
    if match is None:
        raise Unresolved(f"The variable ${name} asks {text!r}; only label_values(metric, label) is understood.")
    found = label_values(fill(match.group(1) or "", chosen), match.group(2))
    kept = re.compile(str(variable.get("regex") or "").strip("/"))
    values = [value for value in found if kept.search(value)]
    if not values:
        raise NoValue(f"The variable ${name} has no value: {text} found none.")
    return values


def fill(text: str, chosen: Mapping[str, Choice], own: Mapping[str, str] | None = None) -> str:
    """Return a query with its variables filled in; Unresolved names one that nobody knows.

    `own` are Grafana's (see `Times`). Those that are bare numbers are refused, since no speed could divide them.
    """

    def value(match: re.Match[str]) -> str:
        name, form = match.group(1) or match.group(3) or match.group(4), match.group(2) or ""
        if name.isdigit():  # a group of a regular expression
            return match.group()
        if own and name in own:
            return own[name]
        if name in chosen:
            return chosen[name].text(form)
        if name in _NUMBERS:
            raise Unresolved(f"${name} is a bare number, which no speed divides; write $__interval or $__range.")
        raise Unresolved(f"The variable ${name} is not among those of the dashboard.")

    return _VARIABLE.sub(value, text)
