"""An abort condition on real servers: play ends, everything is healed, and the outcome says which, at what value."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.e2e.drills import copy_stack, finished, start
from tests.e2e.test_ways_out import nothing_left

pytestmark = pytest.mark.e2e

SCENARIO = """\
version: 1
name: aborted
summary: Every request fails, which is more than this drill may do.
stack: reference
traffic: {rate_per_s: 50, arrivals: constant}
abort:
  - {when: 'sum(rate(ml_predictions_total{status="error"}[2m])) / sum(rate(ml_predictions_total[2m])) > 0.5', for: 1m}
timeline:
  - {phase: baseline, for: 3m}
  - phase: trouble
    for: 30m
    faults: [{model_raises: {share: 1}, name: failing}]
expect:
  - service/answers: {in: baseline}
  - alerts/quiet: {}
"""


KEPT = ("model", "prometheus", "alertmanager", "pager")


def light(folder: Path) -> Path:
    """Return a copy of the reference stack without exporters and log pipeline: half a minute less."""
    stack = copy_stack(folder)
    path, yaml = stack / "stack.yaml", YAML()
    content = yaml.load(path.read_text(encoding="utf-8"))
    content["roles"] = {name: role for name, role in content["roles"].items() if name in KEPT}
    content["edges"] = [edge for edge in content["edges"] if set(edge.split(" -> ")) <= set(KEPT)]
    content["render"] = [name for name in content["render"] if name in ("prometheus", "alertmanager")]
    content["paths"] = {"/etc/prometheus": "{config}/prometheus"}
    signals = content["signals"]
    del signals["logs"]
    signals["jobs"] = {job: role for job, role in signals["jobs"].items() if role in KEPT}
    for section in ("hooks", "disks"):
        entries = content.get(section) or {}
        content[section] = {name: one for name, one in entries.items() if one["role"] in KEPT}
    scraping = stack / "prometheus" / "prometheus.yml"
    prometheus = yaml.load(scraping.read_text(encoding="utf-8"))
    prometheus["scrape_configs"] = [job for job in prometheus["scrape_configs"] if job["job_name"] in signals["jobs"]]
    for place, made in ((path, content), (scraping, prometheus)):
        with place.open("w", encoding="utf-8") as file:
            yaml.dump(made, file)
    return stack


def test_an_abort_condition_ends_the_drill_and_heals(tmp_path: Path) -> None:
    path, runs, stack = tmp_path / "aborted.yaml", tmp_path / "runs", light(tmp_path / "stack")
    path.write_text(SCENARIO)
    drill = start(runs, "run", str(path), "--stack", str(stack), "--speed", "30")
    played = finished(drill, runs, "aborted", within_s=150)
    assert played.code == 2, played.output
    assert played.folder is not None
    run = json.loads((played.folder / "run.json").read_text())
    said = re.fullmatch(r"The drill was aborted: `sum\(.*` held for \d+m(?:\d+s)?, at (\d(?:\.\d+)?)\.", run["outcome"])
    assert said, run["outcome"]
    assert 0.5 < float(said.group(1)) <= 1
    facts = [json.loads(line) for line in (played.folder / "journal.jsonl").read_text().splitlines()]
    names = [fact["fact"] for fact in facts]
    assert names.index("injected") < names.index("aborted") < names.index("healed") < names.index("stack_down")
    injected_at, aborted_at = (next(f["at"] for f in facts if f["fact"] == name) for name in ("injected", "aborted"))
    assert aborted_at - injected_at < 15, "half of 2m and a minute are 4 wall seconds at this speed"
    assert [(one["check"], one["answer"]) for one in played.verdicts[1:]] == [
        ("service/answers", "pass"),
        ("alerts/quiet", "unknown"),
    ]
    nothing_left(played.folder.name, 1)
