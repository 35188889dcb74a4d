"""The table over a collection of rules: nothing is left out of it, whatever the layout."""

from pathlib import Path

from tests.corpus.table import fates, table

PLAIN = """
groups:
  - name: a
    rules:
      - {record: slope, expr: "deriv(x[5m])"}
      - {alert: Kept, expr: "slope > 3"}
      - {alert: Calendar, expr: "hour() > 3"}
      - {alert: Broken, expr: "rate(x[5m"}
"""
RESOURCE = """
kind: PrometheusRule
spec: {groups: [{name: b, rules: [{alert: Bare, expr: "x_total > 5"}, {alert: Bare2, expr: "y_total > 5"}]}]}
---
kind: Other
data: [{groups: [{name: c, rules: [{alert: Deep, expr: "up == 0"}]}]}]
"""


def test_every_rule_has_its_fate(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "plain.yml").write_text(PLAIN)
    (tmp_path / "resource.yaml").write_text(RESOURCE)
    (tmp_path / "none.yaml").write_text("a: [1")
    (tmp_path / "other.yaml").write_text("groups: [staff]\n")
    found, unread = fates(tmp_path)
    assert {(fate.name, bool(fate.reason), fate.parsed) for fate in found} == {
        ("slope", False, True),
        ("Kept", False, True),
        ("Calendar", True, True),
        ("Broken", True, False),
        ("Bare", True, True),
        ("Bare2", True, True),
        ("Deep", False, True),
    }
    assert [line.partition(":")[0] for line in unread] == ["none.yaml"]
    told = table(found, unread).splitlines()
    assert [line.split()[0] for line in told[:4]] == ["7", "6", "3", "3"]
    assert any(line.split()[:1] == ["2"] and "counter" in line for line in told)
    assert sum("not PromQL" in line for line in told) == 1
