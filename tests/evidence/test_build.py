from tests.evidence.build import START, asked, build, counting, fault, firing, notice, steady, together


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
