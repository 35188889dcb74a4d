"""Every way out has its exit code and one sentence; no traceback reaches the terminal."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from tocsin.harness.cli import exit_codes, main
from tocsin.harness.core.errors import (
    EvidenceError,
    HealError,
    MissingProgram,
    Mistake,
    NotPlayable,
    RoleDied,
    Terminated,
    TocsinError,
    UsageError,
    WaitTimeout,
)

MISTAKE = Mistake(file="a.yaml", line=3, where="speed", value="x", expected="a number")


def ended(error):
    def action():
        raise error

    return exit_codes.guarded(action)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (TocsinError("Broke.", hint="Mend it."), 70, "tocsin: Broke. Mend it."),
        (UsageError([MISTAKE]), 64, "a.yaml:3: speed: got x; expected a number."),
        (UsageError([MISTAKE] * 2), 64, "2 mistakes; nothing was started."),
        (MissingProgram("No prometheus."), 2, "tocsin: No prometheus."),
        (WaitTimeout("Waited."), 2, "tocsin: Waited."),
        (RoleDied("Died."), 2, "tocsin: Died."),
        (NotPlayable("No root."), 2, "tocsin: No root."),
        (EvidenceError("No run.json."), 2, "tocsin: No run.json."),
        (HealError("Left broken."), 70, "tocsin: Left broken."),
        (KeyboardInterrupt(), 130, "tocsin: interrupted."),
        (typer.Abort(), 130, "tocsin: interrupted."),
        (Terminated("SIGTERM"), 143, "tocsin: terminated."),
        (typer.Exit(0), 0, ""),
        (typer.BadParameter("Speed is odd."), 64, "Speed is odd. Try `tocsin --help`."),
        (SystemExit(3), 3, ""),
        (SystemExit("words"), 70, ""),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 2, "No space is left: /x/y."),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 2, "Permission denied: /x/y."),
        (OSError(errno.EBADF, "Bad file descriptor"), 70, "internal error: OSError"),
        (ValueError("surprise\nand more"), 70, "internal error: ValueError: surprise. The traceback is in "),
        (RecursionError(), 70, "internal error: RecursionError."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_ending_has_its_code(capsys, monkeypatch, tmp_path, error, code, words):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ended(error) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (1, 1), (None, 0), (2, 2)])
def test_what_a_verb_returns_is_the_code(returned, code):
    assert exit_codes.guarded(lambda: returned) == code


def test_a_crash_leaves_its_traceback_in_the_run_directory(tmp_path, capsys):
    assert exit_codes.explained(ValueError("surprise"), tmp_path) == 70
    assert "ValueError: surprise" in (tmp_path / "traceback.txt").read_text()
    assert str(tmp_path / "traceback.txt") in capsys.readouterr().err


def test_a_crash_without_a_run_directory_leaves_its_traceback_in_a_temporary_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_codes.explained(ValueError("surprise")) == 70
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "ValueError: surprise\n"


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--help"], 0, ""),
        (["--version"], 0, ""),
        (["run", "--help"], 0, ""),
        ([], 64, "Usage: tocsin"),
        (["rnu"], 64, "Did you mean 'run'? Try `tocsin --help`."),
        (["--sped"], 64, "No such option"),
        (["run"], 64, "Missing argument"),
        (["run", "x", "--sped", "3"], 64, "--speed"),
        (["run", "x", "--speed", "fast"], 64, "--speed"),
        (["run", "x", "--speed", "0.5"], 64, "neither `max` nor a number of 1 or more"),
        (["run", "x", "--speed", "nan"], 64, "--speed"),
        (["run", "x", "--seed", "1.5"], 64, "--seed"),
        (["run", "x", "--timeout", "soon"], 64, "expected a duration such as 90s or 15m"),
        (["run", "x", "--engine", "lokal"], 64, "unknown engine `lokal`; did you mean `local`?"),
        (["run", "no_such_file.yaml"], 64, "no_such_file.yaml"),
        (["plan", "healty"], 64, "unknown scenario `healty`; did you mean `healthy`?"),
        (["judge", "/nowhere"], 2, "/nowhere holds no run.json."),
        (["judge"], 64, "Missing argument"),
        (["up", "--stack", "nowhere"], 64, "nowhere"),
        (["setup", "--stack", "nowhere"], 64, "nowhere"),
        (["doctor", "--stack", "nowhere"], 64, "nowhere"),
        (["ls", "faults", "extra"], 64, "extra"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_command_lines(capsys, argv, code, words):
    assert main(argv) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 143),
        ([signal.SIGTERM, signal.SIGINT], 143),
    ],
)
def test_a_signal_ends_a_command_once(capsys, signals, code):
    seen = []

    def action():
        try:
            os.kill(os.getpid(), signals[0])
            time.sleep(10)
        except KeyboardInterrupt as error:
            for number in signals[1:]:
                os.kill(os.getpid(), number)  # answered, not raised: cleaning up goes on
            seen.append(type(error))
            raise

    assert exit_codes.guarded(action) == code
    assert seen == [KeyboardInterrupt if signals[0] == signal.SIGINT else Terminated]


def test_the_third_signal_is_obeyed():
    def action():
        for _ in range(3):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                raised.append(1)
        return 0

    raised = []
    assert exit_codes.guarded(action) == 0
    assert len(raised) == 2


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    exit_codes.guarded(lambda: 0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert exit_codes.guarded(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_that_goes_away_costs_nothing():
    root = Path(__file__).resolve().parents[2]
    script = (
        "import sys; from tocsin.harness.cli.console import show; [show('x' * 1000) for _ in range(1000)]; sys.exit(1)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root)
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(timeout=30), process.stderr.read()) == (1, b"")
    process.stderr.close()


def test_a_second_signal_is_answered_and_a_third_ends_at_once(capfd):
    seen = []

    def action():
        for _ in range(3):
            try:
                signal.raise_signal(signal.SIGINT)
                seen.append("went on")
            except KeyboardInterrupt:
                seen.append("interrupted")
        return 0

    assert exit_codes.guarded(action) == 0
    assert seen == ["interrupted", "went on", "interrupted"]
    told = capfd.readouterr().err
    assert told.count("Already ending") == 1 and "A third signal leaves that to the guardian." in told
