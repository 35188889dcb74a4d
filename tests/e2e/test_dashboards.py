"""Every panel asks the live servers; a metric that is gone and a label that was renamed are named, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.e2e.drills import Change, Played, copy_stack, play

pytestmark = pytest.mark.e2e

GONE = Change(file="service/metrics.py", old='"ml_requests_in_flight"', new='"ml_requests_open"')
RENAMED = Change(file="exporters/shipper.py", old='waiting in a queue.", labels=["queue"]', new='x", labels=["part"]')
REFUSED = Change(
    file="grafana/dashboards/gpu.json", old="DCGM_FI_DEV_POWER_USAGE{", new="rate(DCGM_FI_DEV_POWER_USAGE{"
)
DEAD = {"service/In flight", "logs/Lines waiting", "gpu/Power"}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The drill `proof` on a stack with three dead panels; the good stack passes the same line in test_proof.py."""
    folder = tmp_path_factory.mktemp("dead")
    return play(
        folder / "runs", copy_stack(folder / "stack", (GONE, RENAMED, REFUSED)), more=("--only", "dashboards/*")
    )


def test_each_dead_panel_is_named_with_its_reason_and_no_other(broken: Played) -> None:
    assert broken.code == 1, broken.output
    ((answer, reason),) = broken.answers("dashboards/alive")
    assert answer == "fail"
    assert set(re.findall(r"(?:service|drift|gpu|logs|monitoring)/[A-Z][\w ]*?(?= has | is )", reason)) == DEAD, reason
    assert "service/In flight has no data in baseline: sum by (instance) (ml_requests_in_flight)" in reason
    assert "No series of logs/Lines waiting has the label queue that its legend shows" in reason
    assert "gpu/Power is refused: " in reason and "parse error" in reason, "Prometheus's own sentence"


def test_the_record_is_small_and_the_sheet_shows_it(broken: Played) -> None:
    assert broken.folder is not None
    files = sorted((broken.folder / "panels").glob("*.json"))
    assert [path.stem for path in files] == ["drift", "gpu", "logs", "monitoring", "service"]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    sources = {
        query["source"]
        for path in files
        for panel in json.loads(path.read_text())["panels"]
        for query in panel["queries"]
        if query["series"]
    }
    assert sources == {"prometheus", "elasticsearch"}
    sheet = Path(broken.folder, "panels", "contact.svg")
    assert Xml.parse(sheet).getroot().tag.endswith("svg")
    assert f"{broken.folder.name}/panels/contact.svg" in re.sub(r"\s", "", broken.output)
