"""Writes `panels/` of a run directory: dashboards whose panels a table gives as queries with their series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.evidence.written_runs import START

Values = Sequence[float | None]


def series(values: Values, name: str = "a") -> dict[str, Any]:
    """One series as it is recorded."""
    return {"name": name, "labels": {"name": name}, "values": list(values)}


def query(*found: Mapping[str, Any], text: str = "up", failed: str = "", says: str = "", **more: Any) -> dict[str, Any]:
    """One query as it is recorded."""
    head = {"ref": "A", "source": "prometheus", "text": text, "legend": "", "sent": text, "factor": 1.0}
    return {**head, "failed": failed, "says": says, "left_out": 0, "series": list(found), **more}


def panel(title: str, *queries: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One panel as it is recorded."""
    head = {"id": 1, "title": title, "type": "timeseries", "unit": "short", "stacked": False, "thresholds": []}
    return {**head, "queries": list(queries), **more}


def write_board(
    folder: Path, name: str, *panels: Mapping[str, Any], count: int = 121, step_s: float = 1.0, **more: Any
) -> None:
    """Write `panels/<name>.json` below a run directory; times start with play."""
    (folder / "panels").mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "name": name,
        "uid": f"uid-{name}",
        "title": name.capitalize(),
        "file": f"grafana/{name}.json",
        "start": START,
        "step_s": step_s,
        "count": count,
        "speed": 1.0,
        "scrape_s": 1.0,
        "variables": {},
        "variables_failed": "",
        "panels": list(panels),
    }
    (folder / "panels" / f"{name}.json").write_text(json.dumps({**content, **more}))
