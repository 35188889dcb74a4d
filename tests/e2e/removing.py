"""An alert taken out of a copy of a stack: its rule stays, so that its name still resolves, and can never be true."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

NEVER = "vector(0) > 1"


def awaited(scenario: Path) -> tuple[str, ...]:
    """Return the alerts that a drill awaits (`alerts/fire`), in its order, each once."""
    expect = YAML(typ="safe").load(scenario.read_text(encoding="utf-8")).get("expect") or ()
    found = (line["alerts/fire"]["alert"] for line in expect if "alerts/fire" in line)
    return tuple(dict.fromkeys(found))


def remove_alert(stack: Path, alert: str) -> int:
    """Make every rule of that name in the stack's rule files one that never is true; return how many there were."""
    count = 0
    for path in sorted((stack / "prometheus").rglob("*.y*ml")):
        yaml = YAML()
        yaml.width = 4096
        content = yaml.load(path.read_text(encoding="utf-8"))
        groups = content.get("groups") or () if isinstance(content, dict) else ()
        mine = [rule for group in groups for rule in group.get("rules") or () if rule.get("alert") == alert]
        for rule in mine:
            rule["expr"] = NEVER
        if mine:
            with path.open("w", encoding="utf-8") as file:
                yaml.dump(content, file)
        count += len(mine)
    return count
