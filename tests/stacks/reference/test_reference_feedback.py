"""Delayed labels and the accuracy that follows from them, and the request log's file."""

import json
import math
import os

import pytest

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]


def test_accuracy_over_a_window():
    from service.accuracy import Accuracy

    accuracy = Accuracy(window_s=10)
    for number in range(4):
        accuracy.predicted(f"r{number}", 1)
    assert math.isnan(accuracy.value(0.0))
    assert accuracy.label("r0", 1, 1.0) and accuracy.label("r1", 0, 2.0) and accuracy.label("r2", 1, 3.0)
    assert (accuracy.labels(4.0), accuracy.value(4.0)) == (3, pytest.approx(2 / 3))
    assert not accuracy.label("r0", 1, 4.0) and not accuracy.label("never", 1, 4.0)
    assert (accuracy.labels(12.5), accuracy.value(12.5)) == (1, 1.0)
    assert accuracy.labels(13.0) == 0 and math.isnan(accuracy.value(13.0))


def test_the_memory_for_predictions_and_labels_is_bounded(monkeypatch):
    from service import accuracy as module

    monkeypatch.setattr(module, "REMEMBERED", 3)
    accuracy = module.Accuracy(window_s=10)
    for number in range(10):
        accuracy.predicted(f"r{number}", number % 2)
    assert [accuracy.label(f"r{number}", 1, 1.0) for number in range(10)] == [False] * 7 + [True] * 3
    accuracy.predicted("one more", 1)
    assert accuracy.label("one more", 1, 1.0)
    assert (accuracy.labels(1.0), accuracy.value(1.0)) == (3, pytest.approx(2 / 3))


def test_feedback_moves_the_gauge_and_leaves_no_line(service):
    assert service.metric("ml_model_accuracy", model_name="shuttle") is None
    assert service.metric("ml_model_accuracy_labels", model_name="shuttle") == 0
    for number, label in enumerate((1, 1, 1, 0)):
        service.post("/predict", {"features": ROW}, x_request_id=f"r{number}")
        assert service.post("/feedback", {"request_id": f"r{number}", "label": label})[0] == 200
    assert service.metric("ml_model_accuracy", model_name="shuttle") == 0.75
    assert service.metric("ml_model_accuracy_labels", model_name="shuttle") == 4
    assert len(service.lines()) == 4 and service.counts() == {("shuttle", "success"): 4}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"request_id": "unknown", "label": 1}', 404), (b"{", 400), (b"[]", 422), (b"{}", 422),
        (b'{"request_id": 7, "label": 1}', 422), (b'{"request_id": "r", "label": 2}', 422),
        (b'{"request_id": "r", "label": true}', 422), (b'{"request_id": "r", "label": [1]}', 422),
        (b"[" * 30_000, 400), (b" " * 70_000, 413),
    ],
)  # fmt: skip
def test_bad_feedback_is_refused(service, body, status):
    got, _, answer = service.call("POST", "/feedback", body)
    assert got == status and json.loads(answer)["error"]
    assert service.counts() == {}


def test_the_log_follows_a_renamed_and_a_removed_file(tmp_path):
    from service.requestlog import RequestLog

    path = tmp_path / "new" / "requests.jsonl"
    log = RequestLog(path)
    assert log.write({"n": 1}, 100.0)
    os.rename(path, tmp_path / "rotated")
    assert log.write({"n": 2}, 100.5) and log.write({"n": 3}, 101.1)
    path.unlink()
    assert log.write({"n": 4}, 102.2)
    log.close()
    assert (tmp_path / "rotated").read_text() == '{"n":1}\n{"n":2}\n'
    assert path.read_text() == '{"n":4}\n'


def test_the_log_appends_and_survives_truncation(tmp_path):
    from service.requestlog import RequestLog

    path = tmp_path / "requests.jsonl"
    path.write_text("before\n")
    log = RequestLog(path)
    log.write({"text": "é\nx"}, 1.0)
    assert path.read_text() == 'before\n{"text":"\\u00e9\\nx"}\n'
    os.truncate(path, 0)
    log.write({"n": 2}, 2.0)
    log.close()
    assert path.read_text() == '{"n":2}\n'


def test_a_line_that_cannot_be_written_is_counted_and_the_request_answered(service, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.requestlog.os.write", full)
    assert service.post("/predict", {"features": ROW})[0] == 200
    assert service.metric("ml_log_lines_dropped_total") == 1
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1767225599.9999, "2025-12-31T23:59:59.999Z")]
)
def test_timestamps_are_utc_with_milliseconds(seconds, text):
    from service.requestlog import timestamp

    assert timestamp(seconds) == text
