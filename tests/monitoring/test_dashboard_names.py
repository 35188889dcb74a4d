"""A scenario that names a panel or a dashboard which nobody has is refused, with the line and the nearest name."""

import pytest

from tocsin.harness.cli.load_catalogue import catalogue
from tocsin.harness.core.errors import UsageError
from tocsin.harness.planning.loader import load

DRILL = """version: 1
name: sample
summary: A sample.
timeline:
  - {phase: baseline, for: 5m}
expect:
  - dashboards/alive: {moves: [{panel: Error ratio, dashboard: service, in: baseline}], may_be_empty: [Accuracy]}
"""


def loaded(tmp_path, old="", new=""):
    assert old in DRILL
    path = tmp_path / "sample.yaml"
    path.write_text(DRILL.replace(old, new))
    return load(path, catalogue())


def test_panels_that_are_there(tmp_path):
    scenario, _ = loaded(tmp_path)
    assert scenario.expect[0].check == "dashboards/alive"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Error ratio", "Eror ratio", "did you mean `Error ratio`?"),
        ("[Accuracy]", "[Acuracy]", "did you mean `Accuracy`?"),
        ("dashboard: service", "dashboard: servce", "did you mean `service`?"),
        ("in: baseline", "in: base", "known phase"),
        ("in: baseline", "in: baseline, during: x", "Either `in`"),
    ],
)
def test_names_that_nobody_has(tmp_path, old, new, words):
    with pytest.raises(UsageError) as raised:
        loaded(tmp_path, old, new)
    assert words in str(raised.value) or words.lower() in str(raised.value), str(raised.value)
    assert "sample.yaml:7" in str(raised.value)
