"""Original: the rule files of a run as they were before times were divided, from `config/original`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.errors import EvidenceError

ORIGINAL = Path("config/original")


def rule_files(folder: Path) -> Iterator[tuple[Path, list[Mapping[str, Any]]]]:
    """Yield every original rule file of a run directory with its groups; EvidenceError for one that is not YAML."""
    for path in sorted((folder / ORIGINAL).rglob("*.y*ml")):
        try:
            content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        except YAMLError as error:
            raise EvidenceError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
        groups = content.get("groups") if isinstance(content, dict) else None
        if isinstance(groups, list):
            yield path, groups


@lru_cache(maxsize=8)
def recording_rules(folder: Path) -> Mapping[str, str]:
    """Return metric -> expression of every original recording rule; empty for a run that kept none, or no YAML."""
    try:
        rules = [rule for _, groups in rule_files(folder) for group in groups for rule in group.get("rules") or ()]
    except EvidenceError:
        return {}
    return {
        str(rule["record"]): str(rule["expr"]) for rule in rules if "record" in rule and rule["record"] != "eval_ts"
    }
