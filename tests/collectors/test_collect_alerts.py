import json

import pytest

from tests.collectors.servers import Rig, eventually, serving
from tests.fake_clock import FakeClock
from tocsin.harness.collectors.alerts import AlertsCollector

NOW = 1_000_000.0


def held(name, state="active", **more):
    status = {"state": state, "inhibitedBy": [], "silencedBy": [], **more}
    return {
        "fingerprint": f"f-{name}",
        "labels": {"alertname": name},
        "status": status,
        "startsAt": "2026-01-01T00:00:00Z",
    }


class FakeServers:
    """Alertmanager and Prometheus at one address."""

    def __init__(self):
        self.alerts = [held("Watchdog")]
        self.groups = []

    def __call__(self, method, path, given):
        if path == "/api/v2/alerts":
            return (200, self.alerts) if self.alerts is not None else (500, {})
        return 200, {"data": {"groups": self.groups}}


@pytest.fixture
def servers():
    return FakeServers()


@pytest.fixture
def rig(tmp_path, servers):
    with serving(servers) as server:
        addresses = {"alertmanager": server.address, "prometheus": server.address}
        yield Rig(tmp_path, addresses, clock=FakeClock(start=NOW))


def rows(rig):
    return [json.loads(line) for line in (rig.folder / "alerts.jsonl").read_text().splitlines()]


def seen(rig):
    return [(row["labels"]["alertname"], row["state"], row["at"] - NOW, row["receivedAt"] - NOW) for row in rows(rig)]


def test_each_change_is_written_once_and_at_once(rig, servers):
    collector = rig.start(AlertsCollector(every_s=0.01))
    eventually(lambda: len(rows(rig)) == 1)
    rig.run.clock.sleep(5)
    servers.alerts = [held("Watchdog"), held("High", "suppressed", inhibitedBy=["b", "a"])]
    eventually(lambda: len(rows(rig)) == 2)
    assert rows(rig)[1]["inhibitedBy"] == ["a", "b"]
    assert collector.firing == ("High", "Watchdog")
    rig.run.clock.sleep(5)
    servers.alerts = [held("Watchdog"), held("High")]
    eventually(lambda: len(rows(rig)) == 3)
    rig.run.clock.sleep(5)
    servers.alerts = [held("Watchdog")]
    eventually(lambda: len(rows(rig)) == 4)
    assert rig.collect(collector) == 4
    assert seen(rig) == [
        ("Watchdog", "active", 0, 0),
        ("High", "suppressed", 5, 5),
        ("High", "active", 10, 5),
        ("High", "gone", 15, 5),
    ]


def test_a_resend_does_not_change_when_an_alert_was_received(rig, servers):
    servers.alerts = [{**held("High"), "updatedAt": "2026-01-01T00:00:01Z"}]
    collector = rig.start(AlertsCollector(every_s=0.01))
    eventually(lambda: len(rows(rig)) == 1)
    servers.alerts = [{**held("High"), "updatedAt": "2026-01-01T00:00:09Z"}]
    polled = collector.polled_at
    rig.run.clock.sleep(5)
    eventually(lambda: collector.polled_at > polled)
    servers.alerts = [{**held("High", "suppressed", silencedBy=["a"]), "updatedAt": "2026-01-01T00:00:19Z"}]
    eventually(lambda: len(rows(rig)) == 2)
    assert rig.collect(collector) == 2
    assert [row["updatedAt"] for row in rows(rig)] == ["2026-01-01T00:00:01Z"] * 2


def test_the_order_of_reasons_is_no_change(rig, servers):
    servers.alerts = [held("High", "suppressed", silencedBy=["a", "b"])]
    collector = rig.start(AlertsCollector(every_s=0.01))
    eventually(lambda: collector.polled_at)
    servers.alerts = [held("High", "suppressed", silencedBy=["b", "a"])]
    rig.run.clock.sleep(1)
    eventually(lambda: collector.polled_at > NOW)
    assert rig.collect(collector) == 1


def test_an_alertmanager_that_is_away_ends_nothing(rig, servers):
    collector = rig.start(AlertsCollector(every_s=0.01))
    eventually(lambda: len(rows(rig)) == 1)
    servers.alerts = None
    eventually(lambda: rig.facts("stream_lost"))
    servers.alerts = [held("Watchdog")]
    eventually(lambda: rig.facts("stream_back"))
    assert rig.collect(collector) == 1


def test_a_dead_alertmanager_raises_nothing(tmp_path):
    rig = Rig(tmp_path, {})
    collector = rig.start(AlertsCollector(every_s=60))
    assert collector.seen_canary(rig.live, rig.run)[0] is False
    assert rig.collect(collector) == 0
    assert "Connection refused" in rig.facts("stream_lost")[0]["detail"]


@pytest.mark.parametrize(
    ("alerts", "done", "state"),
    [
        ([held("Watchdog"), held("High")], True, "Alertmanager holds High, Watchdog; awaited Watchdog, active"),
        ([held("High")], False, "Alertmanager holds High; awaited Watchdog, active"),
        ([held("Watchdog", "suppressed")], False, "Alertmanager holds Watchdog; awaited Watchdog, active"),
        ([], False, "Alertmanager holds nothing; awaited Watchdog, active"),
    ],
)
def test_the_canary_is_the_watchdog(rig, servers, alerts, done, state):
    servers.alerts = alerts
    collector = rig.start(AlertsCollector(every_s=60))
    assert collector.seen_canary(rig.live, rig.run) == (done, state)
    collector.stop()


def group(name, second):
    return {"name": name, "lastEvaluation": f"1970-01-12T13:46:{second:012.9f}Z"}  # NOW is 13:46:40


@pytest.mark.parametrize(
    ("groups", "done"),
    [
        ([group("a", 41), group("b", 40.123456789)], True),
        ([group("a", 41), group("b", 39.5)], False),
        ([group("a", 41), {"name": "b", "lastEvaluation": "0001-01-01T00:00:00Z"}], False),
        ([], False),
    ],
)
def test_caught_up_is_an_evaluation_of_every_group_since(rig, servers, groups, done):
    servers.groups = groups
    collector = rig.start(AlertsCollector(every_s=0.01))
    rig.run.clock.sleep(2)
    eventually(lambda: collector.polled_at > NOW)
    assert collector.caught_up(rig.live, rig.run, NOW)[0] is done
    collector.stop()


def test_a_stack_without_a_watchdog_waits_for_none(tmp_path):
    rig = Rig(tmp_path, {}, watchdog=None)
    collector = rig.start(AlertsCollector(every_s=60))
    assert collector.seen_canary(rig.live, rig.run) == (
        True,
        "signals.watchdog is not declared; checks on it are unknown",
    )
    collector.stop()
