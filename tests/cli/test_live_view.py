"""What is seen while a drill plays."""

import io
import time

import pytest

from tocsin.harness.cli import live_view
from tocsin.harness.cli.console import console

PLAYING = {
    "stage": "play",
    "phase": "shifted",
    "elapsed_s": 720.0,
    "length_s": 4200.0,
    "rate": {"sent_per_s": 199.6, "errors_5xx": 12, "failed": 0, "unknown": 3},
    "faults": ["failing_model"],
    "firing": ["FeatureDrift", "HighErrorRate"],
}


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ([], "tour: starting"),
        ([{"stage": "up", "note": "starting 9 servers"}], "tour: up, starting 9 servers"),
        ([PLAYING], "tour: shifted: 12m of 1h10m played, 58m left (1m56s of wall time)"),
        ([PLAYING], "200 requests/s, 12 answered 5xx, 3 without an answer"),
        ([PLAYING], "fault: failing_model"),
        ([PLAYING], "firing: FeatureDrift, HighErrorRate"),
        ([PLAYING, {"elapsed_s": 9999.0}], "1h10m of 1h10m played, 0s left"),
        ([PLAYING, {"rate": {}, "faults": [], "firing": []}], "(1m56s of wall time)"),
        ([PLAYING, {"stage": "settle", "note": "waiting"}], "tour: settle, waiting"),
    ],
)
def test_one_line_says_it_all(updates, words):
    state = live_view.State("tour", 30.0)
    for update in updates:
        state.update(update)
    assert words in state.line()


def test_a_heartbeat_comes_with_every_phase_and_every_few_seconds(capsys):
    with live_view.Heartbeat(live_view.State("tour", 30.0), every_s=0.01) as beat:
        beat(PLAYING)
        until = time.monotonic() + 10
        told = ""
        while told.count("shifted") < 3 and time.monotonic() < until:
            told += capsys.readouterr().err
    assert told.count("shifted") >= 3
    before = live_view.Heartbeat(live_view.State("tour", 30.0), every_s=1000)
    with before as beat:
        for phase in ("baseline", "baseline", "shifted"):
            beat({**PLAYING, "phase": phase})
    assert len(capsys.readouterr().err.splitlines()) in (2, 3)  # a last beat of the first one may still have come


def test_the_panel_holds_phase_load_faults_and_alerts():
    screen = live_view.Screen(live_view.State("tour", 30.0))
    screen(PLAYING)
    out = io.StringIO()
    console(out).print(screen._panel())
    told = out.getvalue()
    for words in ("tour, speed 30", "12m of 1h10m", "200 requests/s", "failing_model", "HighErrorRate"):
        assert words in told


def test_the_panel_can_be_shown_and_taken_away(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with live_view.view("tour", 30.0) as watch:
        assert isinstance(watch, live_view.Screen)
        watch(PLAYING)
    assert "shifted" in terminal.getvalue()
