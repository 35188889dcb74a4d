import json

import pytest

from tests.evidence.build import START, build, notice
from tocsin.harness.evidence.notifications import read_notifications


def test_they_come_by_time_with_all_their_alerts(tmp_path):
    sent = [
        notice(9, "page", 'High{severity="page"}', "Down", status="resolved"),
        notice(3, "ticket", "Slow", answered=503),
    ]
    first, second = build(tmp_path / "run", notifications=sent).notifications
    assert (first.at - START, first.receiver, first.answered, first.delivered) == (3, "ticket", 503, False)
    assert (second.status, second.delivered, [one.alert for one in second.alerts]) == (
        "resolved",
        True,
        ["High", "Down"],
    )


@pytest.mark.parametrize(
    ("alert", "labels", "status", "expected"),
    [
        ("High", None, None, True),
        ("High", {"severity": "page"}, None, True),
        ("High", {"severity": "ticket"}, None, False),
        ("High", None, "firing", True),
        ("High", None, "resolved", False),
        ("Slow", None, None, False),
    ],
)
def test_what_a_notification_names(tmp_path, alert, labels, status, expected):
    (one,) = build(tmp_path / "run", notifications=[notice(1, "page", 'High{severity="page"}')]).notifications
    assert one.names(alert, labels, status) is expected


@pytest.mark.parametrize(
    ("answered", "delivered"), [(200, True), (204, True), (0, False), (302, False), (500, False), (None, False)]
)
def test_delivered_is_answered_2xx(tmp_path, answered, delivered):
    (one,) = build(tmp_path / "run", notifications=[notice(1, "page", "High", answered=answered)]).notifications
    assert one.delivered is delivered


@pytest.mark.parametrize("text", ["", '{"at": 1, "rec', "[]\n", "\xff\n"])
def test_torn_lines_are_left_out(tmp_path, text):
    path = tmp_path / "n.jsonl"
    path.write_text(
        json.dumps({"at": 1.0, "receiver": "page", "answered": 200, "alerts": [{"labels": None}]}) + "\n" + text
    )
    assert [(one.receiver, one.alerts[0].alert) for one in read_notifications(path)] == [("page", "")]


def test_no_file_is_no_notification(tmp_path):
    assert read_notifications(tmp_path / "absent.jsonl") == ()


def test_messages_of_one_group_are_told_by_receiver_and_group(tmp_path):
    sent = [notice(1, "page", "High", group={"job": "a"}), notice(2, "page", "High", group={"job": "b"})]
    sent += [notice(3, "page", "High", group={"job": "a"}), notice(4, "chat", "High", group={"job": "a"})]
    groups = [one.group for one in build(tmp_path / "run", notifications=sent).notifications]
    assert (groups[0] == groups[2], len(set(groups))) == (True, 3)


def test_the_key_of_a_group_counts_where_it_was_kept(tmp_path):
    kept = [{**notice(at, "page", "High"), "group_key": key} for at, key in ((1, "a"), (2, "b"))]
    first, second = build(tmp_path / "run", notifications=kept).notifications
    assert (first.group, second.group) == (("page", "a"), ("page", "b"))
