"""Fills in the variables of a query as Grafana does: its own (`$__interval`) and those of the dashboard.

https://grafana.com/docs/grafana/latest/dashboards/variables/ says how they are written: `$name`, `${name}`,
`${name:format}`, `[[name]]`. A choice of several values becomes a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.json_pointer import find
from tocsin.harness.core.untyped_data import mapping, text

ALL = "$__all"
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?(?:\.\w+)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]")
_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?:(.+?)\s*,\s*)?([a-zA-Z_]\w*)\s*\)\s*", re.DOTALL)
_NUMBERS = ("__interval_ms", "__range_s", "__range_ms")
_SPECIAL = re.compile(r"[\\^$*+?.()|{}\[\]]")


class Unresolved(Exception):
    """A variable that cannot be filled in; the message is a sentence."""


class NoValue(Unresolved):
    """A variable for which the server knows no value: the series or the label it is taken from is not there."""


def builtin_variables(*, interval_s: float, scrape_s: float, range_s: float) -> dict[str, str]:
    """Return what the time range (production seconds) makes of Grafana's own variables.

    The rate interval is four scrapes, or a step and a scrape if that is more.
    """
    rate_s = max(interval_s + scrape_s, 4 * scrape_s)
    durations = {"__interval": interval_s, "__rate_interval": rate_s, "__range": range_s}
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
        escaped = "|".join(_SPECIAL.sub(lambda match: f"\\\\{match.group()}", value) for value in self.values)
        if len(self.values) == 1:
            return escaped
        return f"({escaped})"


LabelValues = Callable[[str, str], list[str]]
"""Asks the server: (selector, label) -> values; the selector is empty for every series."""


def choose(variables: Sequence[Mapping[str, object]], label_values: LabelValues) -> dict[str, Choice]:
    """Return what is chosen for each variable when the dashboard is opened; Unresolved names one that has no value.

    An earlier variable may stand in a later one.
    """
    chosen: dict[str, Choice] = {}
    for variable in variables:
        if variable.get("type") not in ("datasource", "adhoc"):
            several = bool(variable.get("multi") or variable.get("includeAll"))
            values = _values(variable, chosen, label_values)
            chosen[str(variable.get("name"))] = Choice(values=tuple(values), pattern=several)
    return chosen


def _values(variable: Mapping[str, object], chosen: Mapping[str, Choice], label_values: LabelValues) -> list[str]:
    """Return what the dashboard shows as chosen; else what the server knows, or what the variable lists."""
    current = find(variable, "/current/value")
    shown = current if isinstance(current, list) else [current]
    values = [str(value) for value in shown if value not in (None, "")]
    if values and ALL not in values:
        return values
    if variable.get("type") == "query":
        known = _asked(variable, chosen, label_values)
        return known if variable.get("includeAll") else known[:1]
    query = text(variable.get("query"))
    if variable.get("type") in ("custom", "interval"):
        return [option.strip() for option in query.split(",") if option.strip()]
    return values or [query]


def _asked(variable: Mapping[str, object], chosen: Mapping[str, Choice], label_values: LabelValues) -> list[str]:
    name, written = variable.get("name"), variable.get("query")
    query = text(mapping(written).get("query", written)) or text(variable.get("definition"))
    match = _LABEL_VALUES.fullmatch(query)
    if match is None:
        raise Unresolved(f"The variable ${name} asks {query!r}; only label_values(metric, label) is understood.")
    pattern = re.compile(text(variable.get("regex")).strip("/"))
    known = label_values(fill(match.group(1) or "", chosen), match.group(2))
    values = [value for value in known if pattern.search(value)]
    if not values:
        raise NoValue(f"The variable ${name} has no value: {query} found none.")
    return values


def fill(query: str, chosen: Mapping[str, Choice], own: Mapping[str, str] | None = None) -> str:
    """Return a query with its variables filled in; Unresolved names one that nobody knows.

    `own` are the `builtin_variables`. Those that are bare numbers are refused, since no speed could divide them.
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

    return _VARIABLE.sub(value, query)
