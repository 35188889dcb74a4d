import json

import pytest

from tests.collectors.servers import Rig, eventually, serving
from tests.fake_clock import FakeClock
from tocsin.harness.collectors.notifications import RECORD, NotificationsCollector

NOW = 1_000_000.0
CONFIG = "route:\n  group_interval: 2s\n  routes:\n  - group_interval: 10s\nreceivers: []\n"


def line(receiver, *alerts, answered=200, status="firing"):
    named = [{"status": status, "labels": {"alertname": name}, "fingerprint": f"f-{name}"} for name in alerts]
    return json.dumps({"at": NOW, "receiver": receiver, "answered": answered, "status": status, "alerts": named}) + "\n"


def held(name, state="active", receivers=("page",)):
    names = [{"name": receiver} for receiver in receivers]
    return {"fingerprint": f"f-{name}", "labels": {"alertname": name}, "status": {"state": state}, "receivers": names}


class FakeAlertmanager:
    def __init__(self):
        self.alerts = []

    def __call__(self, method, path, given):
        return 200, self.alerts if path == "/api/v2/alerts" else {"config": {"original": CONFIG}}


@pytest.fixture
def alertmanager():
    return FakeAlertmanager()


@pytest.fixture
def rig(tmp_path, alertmanager):
    with serving(alertmanager) as server:
        rig = Rig(tmp_path, {"alertmanager": server.address}, clock=FakeClock(start=NOW))
        (rig.work / RECORD).parent.mkdir()
        yield rig


def received(rig, *lines):
    with (rig.work / RECORD).open("a") as file:
        file.write("".join(lines))


def copied(rig):
    return (rig.folder / "notifications.jsonl").read_text()


def test_lines_are_followed_while_they_come(rig):
    collector = rig.start(NotificationsCollector(every_s=0.01))
    received(rig, line("page", "High"))
    eventually(lambda: copied(rig) == line("page", "High"))
    received(rig, line("page", "Down"), line("page", "Slow"))
    eventually(lambda: copied(rig).count("\n") == 3)
    assert rig.collect(collector) == 3
    assert copied(rig) == (rig.work / RECORD).read_text()


def test_half_a_line_waits_for_its_end(rig):
    whole = line("page", "High")
    received(rig, line("ticket", "Slow"), whole[:20])
    collector = rig.start(NotificationsCollector(every_s=0.01))
    eventually(lambda: copied(rig))
    assert copied(rig) == line("ticket", "Slow")
    received(rig, whole[20:])
    assert rig.collect(collector) == 2
    assert copied(rig) == line("ticket", "Slow") + whole


def test_a_pager_that_never_wrote_is_an_empty_file(tmp_path):
    rig = Rig(tmp_path, {})
    assert rig.collect(rig.start(NotificationsCollector(every_s=60))) == 0
    assert copied(rig) == ""
    assert rig.facts("stream_lost") == []


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([line("watchdog", "Watchdog")], True),
        ([line("watchdog", "Watchdog", answered=500)], False),
        ([line("page", "Watchdog")], False),
        ([line("watchdog", "High")], False),
        ([], False),
    ],
)
def test_the_canary_is_a_delivered_watchdog(rig, lines, seen):
    collector = rig.start(NotificationsCollector(every_s=60))
    received(rig, *lines)
    done, state = collector.seen_canary(rig.live, rig.run)
    assert done is seen
    assert f"{len(lines)} notifications" in state
    collector.stop()


@pytest.mark.parametrize(
    ("alerts", "lines", "awaited"),
    [
        ([], [], ""),
        ([held("High")], [line("page", "High")], ""),
        ([held("High")], [], "High at page"),
        ([held("High")], [line("page", "High", answered=500)], "High at page"),
        ([held("High")], [line("page", "High"), line("page", "High", status="resolved")], "High at page"),
        ([held("High", receivers=("page", "ticket"))], [line("page", "High")], "High at ticket"),
        ([held("High", "suppressed")], [], ""),
        ([], [line("page", "High"), line("page", "High", status="resolved")], ""),
        ([], [line("page", "High")], "a resolved notice at page"),
    ],
)
def test_caught_up_is_everybody_told(rig, alertmanager, alerts, lines, awaited):
    alertmanager.alerts = alerts
    collector = rig.start(NotificationsCollector(every_s=60))
    received(rig, *lines)
    done, state = collector.caught_up(rig.live, rig.run, NOW)
    assert (done, state) == ((False, f"awaited: {awaited}") if awaited else (True, "every notification was delivered"))
    collector.stop()


def test_a_resolved_notice_is_awaited_for_one_group_interval(rig):
    collector = rig.start(NotificationsCollector(every_s=60))
    received(rig, line("page", "High"))
    waits = []
    for _ in range(4):
        waits.append(collector.caught_up(rig.live, rig.run, NOW)[0])
        rig.run.clock.sleep(5)
    assert waits == [False, False, False, True]  # 10 s and a little
    collector.stop()
