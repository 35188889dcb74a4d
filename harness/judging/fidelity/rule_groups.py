"""The original rule groups of a run, and what each of them reads: from `config/original` in the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.core.untyped_data import mappings, texts
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.original_rules import ORIGINAL, rule_files
from tocsin.harness.monitoring.promql.expression import NotPromql, parse, selectors

EVERYTHING = "*"
"""What an expression reads that selects series by something else than a metric's name."""


Rule = Mapping[str, object]
"""A rule as its file has it."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A rule group as its file says it. `content` is the group's mapping; `interval_s` its evaluation interval."""

    name: str
    file: str
    interval_s: float
    content: Mapping[str, object]

    @property
    def rules(self) -> list[Rule]:
        """Its rules in order."""
        return mappings(self.content.get("rules"))

    def rules_of(self, alert: str) -> list[Rule]:
        """Return the rules of one alert."""
        return [rule for rule in self.rules if rule.get("alert") == alert]

    @property
    def alerts(self) -> tuple[str, ...]:
        """The names of its alerts, each once."""
        return tuple(dict.fromkeys(str(rule["alert"]) for rule in self.rules if "alert" in rule))

    @property
    def records(self) -> frozenset[str]:
        """The metrics it writes, `ALERTS` included if it has an alert."""
        recorded = {str(rule["record"]) for rule in self.rules if "record" in rule}
        if self.alerts:
            recorded |= {"ALERTS", "ALERTS_FOR_STATE"}
        return frozenset(recorded)

    @property
    def reads(self) -> frozenset[str]:
        """The metrics its expressions name."""
        return frozenset().union(*map(reads, self.rules))


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
    groups = []
    for path, contents in rule_files(evidence.folder):
        if path.name not in unloaded:
            for content in contents:
                interval_s = float(evidence.run["evaluation_interval_s"])
                if content.get("interval"):
                    interval_s = parse_duration(str(content["interval"]))
                name = str(content["name"])
                groups.append(Group(name=name, file=path.name, interval_s=interval_s, content=content))
    if not groups:
        raise EvidenceError(f"{folder} holds no rule group.", hint="Play the drill again.")
    return tuple(groups)


def needed_by(group: Group, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return the groups whose recordings this one reads, theirs first, itself last."""
    needed: list[Group] = []

    def visit(reader: Group, above: tuple[Group, ...]) -> None:
        for other in groups:
            recorded = other.records
            if recorded and EVERYTHING not in reader.reads:
                recorded = reader.reads & recorded
            if recorded and other is not reader and other not in (*needed, *above):
                visit(other, (*above, reader))
        needed.append(reader)

    visit(group, ())
    return tuple(needed)


def labels_of(rule: Rule) -> dict[str, str]:
    """Return the labels that a rule adds, templates unfilled."""
    return texts(rule.get("labels"))


def waits_s(rule: Rule) -> tuple[float, float]:
    """Return a rule's `for` and `keep_firing_for`, production seconds."""
    return parse_duration(str(rule.get("for", "0s"))), parse_duration(str(rule.get("keep_firing_for", "0s")))


def reads(rule: Rule) -> frozenset[str]:
    """Return the metric names that a rule reads."""
    return names_in(str(rule["expr"]))


def names_in(expr: str) -> frozenset[str]:
    """Return the metric names an expression reads; EVERYTHING stands for a selector without a name."""
    try:
        return frozenset(selector.name or EVERYTHING for selector in selectors(parse(expr)))
    except NotPromql as error:
        raise EvidenceError(f"{expr!r} is not PromQL: {error.problem}.") from None
