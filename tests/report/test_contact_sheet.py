"""The sheet of all panels: drawn from the record alone, with what a reviewer must see on it."""

from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from tests.evidence.build import build, fault
from tests.evidence.panelled import panel, query, series, write_board
from tocsin.harness.report import contact_sheet, verdict_table
from tocsin.harness.report.panel_units import axis_of

JUMP = [0.0] * 60 + [0.3] * 61


@pytest.fixture
def run(tmp_path):
    """A drill of two phases and a fault, with a panel of each kind."""
    outage = fault("outage", "kill", "trouble", injected=61, effective=62, healed=100, gone=101)
    evidence = build(tmp_path / "run", phases={"baseline": 60, "trouble": 60}, faults=[outage], speed=30.0)
    write_board(
        evidence.folder,
        "service",
        panel("Error ratio", query(series(JUMP, "shuttle")), unit="percentunit", thresholds=[[0.05, "red"]]),
        panel("Lag", query(series([1.0] * 121)), unit="s", thresholds=[[300, "red"]]),
        panel("By status", query(*(series(JUMP, f"s{at}") for at in range(12))), unit="reqps", stacked=True),
        panel("Empty", query()),
        panel("Refused", query(failed="refused", says="parse error: x")),
        panel("Alert list"),
        variables={"model": ["shuttle"]},
    )
    return evidence


def words(path):
    return [node.text for node in Xml.parse(path).iter() if node.tag.endswith("text") and node.text]


def test_titles_units_phases_faults_and_thresholds_are_on_the_sheet(run):
    path = contact_sheet.draw(run)
    assert path == run.folder / "panels" / "contact.svg"
    seen = words(path)
    for word in ("Service", "Error ratio", "By status (stacked)", "%", "s", "requests/s", "no data", "and 4 more",
                 "refused: parse error: x", "threshold 300, above", "s0"):  # fmt: skip
        assert word in seen, word
    assert sum("outage" in word for word in seen) == sum("trouble" in word for word in seen) == 5
    assert any("Alert list" in word and "$model = shuttle" in word for word in seen)
    assert "30" in seen and "60" in seen, "production minutes, not wall seconds"
    before = path.read_bytes()
    assert contact_sheet.draw(run) and path.read_bytes() == before, "the same evidence, the same file"


def test_the_report_names_the_sheet_once_it_is_there(run):
    assert "contact.svg" not in verdict_table.evidence_paths(run.folder).plain
    contact_sheet.draw(run)
    assert "panels/contact.svg" in verdict_table.evidence_paths(run.folder).plain


def test_nothing_recorded_draws_nothing(tmp_path):
    assert contact_sheet.draw(build(tmp_path / "run")) is None


@pytest.mark.parametrize(
    ("unit", "values", "label", "divisor"),
    [
        ("percentunit", [0.5], "%", 0.01),
        ("percent", [50], "%", 1),
        ("s", [0.02, 0.004], "ms", 1e-3),
        ("s", [2.0], "s", 1),
        ("s", [7200.0, np.nan], "h", 3600),
        ("s", [0.0], "s", 1),
        ("ms", [0.2], "µs", 1e-3),
        ("bytes", [3 * 2**20], "MiB", 2**20),
        ("bytes", [np.nan], "B", 1),
        ("celsius", [50], "°C", 1),
        ("none", [1], "", 1),
        ("furlongs", [1], "furlongs", 1),
    ],
)
def test_axes_have_units(unit, values, label, divisor):
    found = axis_of(unit, [np.array(values, dtype=float)])
    assert (found.label, found.divisor) == (label, divisor)
