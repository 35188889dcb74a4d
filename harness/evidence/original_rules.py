"""Original rules: the rule files of a run as they were before times were divided, from `config/original`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.core.untyped_data import mapping, mappings, read_yaml

ORIGINAL = Path("config/original")


def rule_files(folder: Path) -> Iterator[tuple[Path, list[Mapping[str, object]]]]:
    """Yield every original rule file of a run directory with its groups; EvidenceError for one that is not YAML."""
    for path in sorted((folder / ORIGINAL).rglob("*.y*ml")):
        try:
            groups = mappings(mapping(read_yaml(path)).get("groups"))
        except ValueError as error:
            raise EvidenceError(f"{path} is not YAML: {error}.") from None
        if groups:
            yield path, groups


@lru_cache(maxsize=8)
def recording_rules(folder: Path) -> Mapping[str, str]:
    """Return metric -> expression of every original recording rule; empty for a run that kept none, or no YAML."""
    try:
        groups = [group for _, groups in rule_files(folder) for group in groups]
    except EvidenceError:
        return {}
    rules = [rule for group in groups for rule in mappings(group.get("rules"))]
    return {str(rule["record"]): str(rule["expr"]) for rule in rules if rule.get("record") not in (None, "eval_ts")}
