"""Abort conditions: asked again and again, held for as long as they say, and honest when nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fake_stack import Rig
from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.runner.abort_conditions import BLIND_S, Aborted, AbortWatch, NotEvaluated, holding, prometheus_query

WHEN = "error_ratio > 0.5"
CONDITION = Abort.model_validate({"when": WHEN, "for": "1m"})
BAD = [(0.7, ' for {job="ml"}')]


def watched(rig: Rig, answers: Callable[[], Any], **more: Any) -> AbortWatch:
    """Return a watch whose Prometheus says what `answers` returns or raises."""
    return AbortWatch([(CONDITION, WHEN)], ask=lambda expr: answers(), clock=rig.clock, journal=rig.journal, **more)


def asked(rig: Rig, watch: AbortWatch, times: int, every_s: float = 1.0) -> Aborted | None:
    """Ask so many times, `every_s` wall seconds apart; return how the drill was ended, if it was."""
    for _ in range(times):
        watch.once()
        try:
            watch.check()
        except Aborted as error:
            return error
        rig.clock.sleep(every_s)
    return None


def test_it_ends_a_drill_once_it_has_held_for_as_long_as_it_says(tmp_path: Path) -> None:
    rig = Rig(tmp_path)  # speed 30: a minute is two wall seconds
    ended = asked(rig, watched(rig, lambda: BAD), 10)
    assert rig.clock.now() - 1000 == 2
    assert str(ended) == 'The drill was aborted: `error_ratio > 0.5` held for 1m, at 0.7 for {job="ml"}.'
    assert ended is not None and ended.exit_code == 2
    ((_, fact),) = rig.facts("aborted")
    assert (fact["when"], fact["value"]) == (WHEN, 0.7)


def test_one_that_does_not_hold_in_between_counts_anew(tmp_path: Path) -> None:
    rig, answers = Rig(tmp_path), [BAD, BAD, [], BAD, BAD, []]
    assert asked(rig, watched(rig, lambda: answers.pop(0)), 6) is None
    assert not rig.facts("aborted")


def test_what_prometheus_refuses_ends_the_drill_at_once(tmp_path: Path) -> None:
    def refuse() -> Any:
        raise NotEvaluated("many-to-many matching not allowed")

    ended = asked(Rig(tmp_path), watched(Rig(tmp_path), refuse), 1)
    assert f"`{WHEN}` cannot be evaluated: many-to-many" in str(ended)


def nobody() -> Any:
    raise ConnectionError("refused")


def test_nobody_who_answers_for_long_is_no_pass(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with watched(rig, nobody) as watch:
        rig.clock.sleep(BLIND_S - 1)
        assert asked(rig, watch, 1, 0) is None
        rig.clock.sleep(1)
        ended = asked(rig, watch, 1)
    assert "could not be evaluated for 15 s (wall): ConnectionError: refused" in str(ended)


def test_nobody_who_answers_because_of_a_fault_is_borne(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    broken = [True]
    with watched(rig, nobody, excused=lambda: broken[0]) as watch:
        assert asked(rig, watch, 60) is None
        broken[0] = False
        assert asked(rig, watch, 10) is None, "its patience begins when the fault is gone"
        assert asked(rig, watch, 10) is not None


def test_without_a_condition_nothing_runs(tmp_path: Path) -> None:
    rig, before = Rig(tmp_path), threading.active_count()
    with AbortWatch((), ask=lambda expr: BAD, clock=rig.clock, journal=rig.journal) as watch:
        assert threading.active_count() == before
        watch.check()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"resultType": "vector", "result": []}, []),
        ({"resultType": "vector", "result": [{"metric": {}, "value": [1, "0"]}]}, [(0.0, "")]),
        (
            {"resultType": "vector", "result": [{"metric": {"__name__": "up", "job": "ml"}, "value": [1, "0"]}]},
            [(0.0, ' for up{job="ml"}')],
        ),
        ({"resultType": "scalar", "result": [1, "0"]}, []),
        ({"resultType": "scalar", "result": [1, "1"]}, [(1.0, "")]),
    ],
)
def test_when_a_result_holds(found: Any, expected: list[Any]) -> None:
    assert holding(found) == expected


ANSWERS = [
    (200, b'{"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "3"]}]}}', [(3.0, "")]),
    (422, b'{"error": "execution: no such function"}', NotEvaluated),
    (503, b"starting", Exception),
]


@pytest.mark.parametrize(("status", "body", "expected"), ANSWERS)
def test_prometheus_is_asked(status: int, body: bytes, expected: Any) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if "query=up+%3D%3D+0" in self.path else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    live: Any = SimpleNamespace(address=lambda role: f"127.0.0.1:{server.server_address[1]}")
    try:
        if isinstance(expected, list):
            assert prometheus_query(live)("up == 0") == expected
        else:
            with pytest.raises(expected):
                prometheus_query(live)("up == 0")
    finally:
        server.shutdown()
        server.server_close()
