import json

import pytest

from tests.evidence.build import START, asked, build, counting, fault, firing, notice, steady, together
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.evidence import read_evidence


def test_everything_given_can_be_read_back(tmp_path):
    evidence = build(
        tmp_path / "run",
        phases={"baseline": 60, "shifted": 30},
        series={"served_total": counting(10, 0, 90)} | firing('Slow{severity="page"}', pending=62, start=65, end=80),
        requests=[asked(1.0), asked(2.0, kind="canary", status=503), asked(3.0, outcome="unknown")],
        notifications=[notice(66, "page", 'Slow{severity="page"}')],
        faults=[fault("outage", "kill", "shifted", injected=61, effective=62, healed=75, gone=77)],
    )
    assert {name: (p.start - START, p.end - START) for name, p in evidence.phases.items()} == {
        "baseline": (0, 60),
        "shifted": (60, 90),
    }
    assert evidence.requests["id"].tolist() == [b"r-1-0", b"r-0-1", b"r-1-2"]
    assert evidence.logs.documents["id"].tolist() == [b"r-1-0", b"r-0-1"]
    assert evidence.logs.documents["status"].tolist() == [200, 503]
    assert evidence.metrics.names() == ("ALERTS", "served_total")
    assert evidence.notifications[0].names("Slow", {"severity": "page"})
    outage = evidence.faults["outage"]
    assert (outage.injected_at, outage.effective_at, outage.healed_at, outage.gone_at) == tuple(
        START + at for at in (61, 62, 75, 77)
    )
    assert evidence.scenario.name == "drill"
    assert evidence.signals.watchdog.every == 5


def test_together_joins_the_samples_of_one_series():
    joined = together({"a": steady(1, 0, 2)}, {"a": steady(1, 5, 6), "b": steady(0, 0, 1)})
    assert [at for at, _ in joined["a"]] == [0, 1, 2, 5, 6]
    assert len(joined["b"]) == 2


def test_a_phase_begins_with_its_traffic_however_late_the_journal_says_so(tmp_path):
    folder = build(tmp_path / "run", phases={"baseline": 60, "shifted": 30}, speed=2.0).folder
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {"starts_at": START - 0.25} if line["fact"] == "traffic_started" else {}
        line["at"] += 8.0 if line.get("phase") == "shifted" else 0.0
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    phases = read_evidence(folder).phases
    assert [(one.start - START, one.end - START) for one in phases.values()] == [(0, 59.75), (59.75, 90)]


@pytest.mark.parametrize("what", ["scenario", "signals"])
def test_a_run_of_another_version_is_refused_in_words(tmp_path, what):
    folder = build(tmp_path / "run").folder
    run = json.loads((folder / "run.json").read_text())
    run[what]["later"] = True
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(EvidenceError, match=f"holds a {what} that this version does not read, at later"):
        getattr(read_evidence(folder), what)
