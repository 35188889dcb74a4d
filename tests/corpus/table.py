"""Compress every rule of a folder of public rule collections, and print what became of them: `make corpus CORPUS=DIR`.

Any layout will do: `groups` anywhere in a document (rule files, PrometheusRule resources, jsonnet's output), with the
recording rules of one file known to its alerts. Nothing of such a collection is kept in this tree.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.monitoring.promql.compress import NotCompressible, compress_expr
from tocsin.harness.monitoring.promql.compression_analysis import Scales
from tocsin.harness.monitoring.promql.rule_files import Rule, recorded, rule_groups

SPEEDS = (2, 30, 150)
"""At each of them a rule must be verified to count as compressed."""
_NAMED = re.compile(r"`[^`]*`")


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of one rule: `reason` is empty if it was compressed and verified at every speed."""

    file: str
    name: str
    expr: str
    parsed: bool
    reason: str = ""


def fates(folder: Path) -> tuple[list[Fate], list[str]]:
    """Return the fate of every rule below a folder, and what could not be read as YAML."""
    found, unread = [], []
    for path in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        try:
            documents = list(YAML(typ="safe").load_all(path.read_text(encoding="utf-8")))
        except (YAMLError, UnicodeDecodeError, ValueError) as error:
            unread.append(f"{path.relative_to(folder)}: {' '.join(str(error).split())[:100]}")
            continue
        groups = rule_groups({"groups": [group for document in documents for group in groups_in(document)]})
        scales = Scales(recorded=recorded(groups))
        for rule in (rule for group in groups for rule in group.rules):
            if rule.name and rule.expr:
                found.append(_fate(rule, str(path.relative_to(folder)), scales))
    return found, unread


def groups_in(content: object) -> Iterator[Mapping[str, object]]:
    """Yield every group of rules in a document, however deep it lies."""
    if isinstance(content, Mapping):
        groups = content.get("groups")
        own = [one for one in groups if isinstance(one, Mapping) and "rules" in one] if _is_list(groups) else []
        yield from own
        for key, value in content.items():
            if not (key == "groups" and own):
                yield from groups_in(value)
    elif _is_list(content):
        for item in content:
            yield from groups_in(item)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, (list, tuple))


def _fate(rule: Rule, file: str, scales: Scales) -> Fate:
    name, expr = rule.name, rule.expr
    try:
        for speed in SPEEDS:
            compress_expr(expr, speed, scales)
    except NotCompressible as error:
        reason = error.message if error.reason == "not PromQL" else _NAMED.sub(_generic, error.reason)
        return Fate(file=file, name=name, expr=expr, parsed=error.reason != "not PromQL", reason=reason)
    return Fate(file=file, name=name, expr=expr, parsed=True)


def _generic(match: re.Match[str]) -> str:
    return match.group() if match.group().endswith("()`") or not match.group()[1:-1].isidentifier() else "a metric"


def table(found: Iterable[Fate], unread: Iterable[str]) -> str:
    """Return the fates as a table: totals, then refusals by reason, then what is no PromQL, one by one."""
    found, unread = list(found), list(unread)
    parsed = [fate for fate in found if fate.parsed]
    kept = [fate for fate in parsed if not fate.reason]
    reasons = Counter(fate.reason for fate in parsed if fate.reason)
    lines = [
        f"{len(found):6} rules in {len({fate.file for fate in found})} files",
        f"{len(parsed):6} parsed",
        f"{len(kept):6} compressed and verified at K = {', '.join(map(str, SPEEDS))}",
        f"{len(parsed) - len(kept):6} refused:",
    ]
    lines += [f"{count:10}  {reason}" for reason, count in reasons.most_common()]
    lines += [f"not PromQL: {fate.file}: {fate.name}: {fate.reason}" for fate in found if not fate.parsed]
    return "\n".join(lines + [f"not YAML: {line}" for line in unread])


if __name__ == "__main__":
    print(table(*fates(Path(sys.argv[1]))))
