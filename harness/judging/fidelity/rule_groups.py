"""The original rule groups of a run, and what each of them reads: from `config/original` in the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.original_rules import ORIGINAL, rule_files
from tocsin.harness.monitoring.promql.expression import NotPromql, parse, selectors

EVERYTHING = "*"
"""What an expression reads that selects series by something else than a metric's name."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A rule group as its file says it. `content` is the group's mapping; `interval_s` its evaluation interval."""

    name: str
    file: str
    interval_s: float
    content: Mapping[str, Any]

    @property
    def rules(self) -> list[Mapping[str, Any]]:
        """Its rules in order."""
        return list(self.content.get("rules") or ())

    @property
    def alerts(self) -> tuple[str, ...]:
        """The names of its alerts, each once."""
        return tuple(dict.fromkeys(str(rule["alert"]) for rule in self.rules if "alert" in rule))

    @property
    def records(self) -> frozenset[str]:
        """The metrics it writes, `ALERTS` included if it has an alert."""
        own = {str(rule["record"]) for rule in self.rules if "record" in rule}
        return frozenset(own | ({"ALERTS", "ALERTS_FOR_STATE"} if self.alerts else set()))

    @property
    def reads(self) -> frozenset[str]:
        """The metrics its expressions name."""
        return frozenset().union(*(names_in(str(rule["expr"])) for rule in self.rules))


def original_groups(evidence: Evidence) -> tuple[Group, ...]:
    """Return every group of a loaded rule file, as it was before times were divided.

    EvidenceError if the run holds no original configuration, or one that is not YAML.
    """
    folder = evidence.folder / ORIGINAL
    if not folder.is_dir():
        raise EvidenceError(
            f"{evidence.folder} holds no {ORIGINAL}, the rules as they were before times were divided.",
            hint="Play the drill again: runs made by this version keep them.",
        )
    unloaded = {str(rule.get("file")) for rule in evidence.run["alerts"] if not rule.get("loaded", True)}
    every_s = float(evidence.run["evaluation_interval_s"])
    found = [
        _group(content, path.name, every_s)
        for path, contents in rule_files(evidence.folder)
        if path.name not in unloaded
        for content in contents
    ]
    if not found:
        raise EvidenceError(f"{folder} holds no rule group.", hint="Play the drill again.")
    return tuple(found)


def _group(content: Mapping[str, Any], file: str, every_s: float) -> Group:
    interval = content.get("interval")
    interval_s = parse_duration(str(interval)) if interval else every_s
    return Group(name=str(content["name"]), file=file, interval_s=interval_s, content=content)


def needed_by(group: Group, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return the groups whose recordings this one reads, theirs first, itself last."""
    found: list[Group] = []

    def visit(one: Group, above: tuple[Group, ...]) -> None:
        for other in groups:
            reads = one.reads & other.records or (EVERYTHING in one.reads and other.records)
            if reads and other is not one and other not in (*found, *above):
                visit(other, (*above, one))
        found.append(one)

    visit(group, ())
    return tuple(found)


def names_in(expr: str) -> frozenset[str]:
    """Return the metric names an expression reads; EVERYTHING stands for a selector without a name."""
    try:
        return frozenset(selector.name or EVERYTHING for selector in selectors(parse(expr)))
    except NotPromql as error:
        raise EvidenceError(f"{expr!r} is not PromQL: {error.problem}.") from None
