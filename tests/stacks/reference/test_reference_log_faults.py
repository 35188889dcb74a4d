"""Faults of the request log: what is in its lines and what becomes of its file."""

import json

import pytest

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]


def post(service, times=1):
    return [service.post("/predict", {"features": ROW})[::2] for _ in range(times)]


def test_lines_are_cut_blown_up_or_not_written(service, turned):
    turned("log_malformed", share=0.5)
    turned("log_oversize", share=0.5, kib=20)
    post(service, 4)
    lines = service.log.read_bytes().splitlines()
    assert sorted(len(line) > 9000 for line in lines) == [False, False, True, True] and len(lines) == 4
    service.parts.faults.turn_off("log_oversize")
    service.parts.faults.turn_off("log_malformed")
    turned("log_stop")
    post(service, 3)
    assert len(service.log.read_bytes().splitlines()) == 4
    service.parts.faults.turn_off("log_stop")
    post(service)
    assert json.loads(service.log.read_bytes().splitlines()[-1])["status"] == 200
    assert service.metric("ml_log_lines_dropped_total") == 0


def test_an_oversize_line_is_a_line(service, turned):
    turned("log_oversize", share=1, kib=20)
    post(service)
    assert len(service.lines()[0]["message"]) == 20 * 1024 + len("answered")


@pytest.mark.parametrize(("fault", "kept"), [("log_rotate", "requests.jsonl.1"), ("log_truncate", "requests.jsonl.1")])
def test_no_line_is_lost_when_the_file_is_put_aside(fault, kept, service, turned):
    post(service, 2)
    for _ in range(2):
        turned(fault)
        service.parts.log.follow()
        post(service, 2)
    files = sorted(service.log.parent.iterdir())
    assert [file.name for file in files] == ["requests.jsonl", kept, "requests.jsonl.2"]
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len({line["request_id"] for line in lines}) == len(lines) == 6
    assert len(service.lines()) == 2


def test_a_line_that_was_torn_takes_no_other_with_it(tmp_path, monkeypatch):
    from service import requestlog

    log, write, room = requestlog.RequestLog(tmp_path / "log"), requestlog.os.write, [12]

    def full(descriptor, data):
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(requestlog.os, "write", full)
    assert [log.write({"n": number}, 0.0) for number in range(3)] == [True, False, False]
    room[0] = 1000
    assert log.write({"n": 3}, 0.0)
    log.close()
    assert log.path.read_bytes() == b'{"n":0}\n{"n"\n{"n":3}\n'
