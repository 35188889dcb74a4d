from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common import child_processes
from tocsin.harness.engines.common.child_processes import (
    PROJECT,
    Child,
    ChildStarter,
    Owner,
    end_all,
    tail,
    unprivileged,
)

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture
def starter(tmp_path: Path) -> ChildStarter:
    return ChildStarter(run_id="261122-000000-test", logs=tmp_path, base={"PATH": os.environ["PATH"]})


def start(starter: ChildStarter, script: str, **more: object) -> Child:
    child = starter.start([sys.executable, "-c", script], name="child", **more)  # type: ignore[arg-type]
    if "up" in script:
        ready = RunClock().wait_until
        ready(lambda: ("up" in child.tail(), child.tail()), awaited="the child", within_s=10)
    return child


ENVIRONMENTS = [
    ({}, {"A": "1"}, {"PYTHONPATH": str(PROJECT), "A": "1"}),
    ({"PYTHONPATH": "/x"}, {}, {"PYTHONPATH": f"{PROJECT}{os.pathsep}/x"}),
    ({"A": "1", "B": "2"}, {"A": "3"}, {"A": "3", "B": "2"}),
    ({"TOCSIN_RUN_ID": "of another run"}, {"TOCSIN_RUN_ID": "a lie"}, {"TOCSIN_RUN_ID": "r"}),
    ({"no_proxy": "example.org"}, {}, {"no_proxy": "127.0.0.1,localhost", "PYTHONDONTWRITEBYTECODE": "1"}),
]


@pytest.mark.parametrize(("base", "more", "expected"), ENVIRONMENTS)
def test_a_child_gets_our_environment_and_the_run_id(
    base: dict[str, str], more: dict[str, str], expected: dict[str, str]
) -> None:
    environment = ChildStarter(run_id="r", logs=Path("/"), base=base).environment(more)
    assert environment["TOCSIN_RUN_ID"] == "r"
    assert {key: environment[key] for key in expected} == expected


TAILS = [
    (b"", 0, "  (nothing)"),
    (b"one\ntwo\n", 0, "  one\n  two"),
    (b"one\ntwo", 4, "  two"),
    (b"one\n", 4, "  (nothing)"),
    (b"".join(b"%d\n" % n for n in range(99)), 0, "\n".join(f"  {n}" for n in range(89, 99))),
    (b"\xff\n", 0, "  \N{REPLACEMENT CHARACTER}"),
]


@pytest.mark.parametrize(("content", "begin", "expected"), TAILS)
def test_a_tail_is_ten_lines_of_this_process(tmp_path: Path, content: bytes, begin: int, expected: str) -> None:
    (tmp_path / "log").write_bytes(content)
    assert tail(tmp_path / "log", begin) == expected


def test_a_log_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert tail(tmp_path / "log") == "  (nothing)"


ENDS = [
    ("print('bye')", "child ended with status 0", "  bye"),
    ("raise SystemExit(7)", "child ended with status 7", "  (nothing)"),
    ("import os; os.kill(os.getpid(), 9)", "child was ended by SIGKILL", "  (nothing)"),
    ("import os; os.kill(os.getpid(), 40)", "child was ended by signal 40", "  (nothing)"),
]


@pytest.mark.parametrize(("script", "how", "last"), ENDS)
def test_an_end_is_told_with_the_last_lines(starter: ChildStarter, script: str, how: str, last: str) -> None:
    child = start(starter, script)
    child.process.wait(10)
    assert not child.alive
    assert child.ended() == f"{how}. Its last lines in {child.log}:\n{last}"


def test_a_second_start_appends_and_tells_only_its_own_lines(starter: ChildStarter) -> None:
    for word in ("first", "second"):
        child = start(starter, f"print('{word}')")
        child.process.wait(10)
    assert child.log.read_text() == "first\nsecond\n"
    assert child.tail() == "  second"


def test_a_running_child_says_so(starter: ChildStarter) -> None:
    child = start(starter, SLEEPS)
    assert child.ended().startswith("child still runs.")
    assert os.getsid(child.process.pid) == child.process.pid
    child.end(kill=True)


@pytest.mark.parametrize(
    ("script", "kill", "stop_s", "status"),
    [
        (SLEEPS, False, 10.0, -signal.SIGTERM),
        (SLEEPS, True, 10.0, -signal.SIGKILL),
        (DEAF, False, 0.1, -signal.SIGKILL),
        ("pass", False, 10.0, 0),
        ("pass", True, 10.0, 0),
    ],
)
def test_ending_asks_first_and_kills_when_patience_is_over(
    starter: ChildStarter, script: str, kill: bool, stop_s: float, status: int
) -> None:
    child = start(starter, script, stop_s=stop_s)
    if script == "pass":
        child.process.wait(10)
    began = time.monotonic()
    child.end(kill=kill)
    assert child.process.returncode == status
    assert time.monotonic() - began < 5


def test_all_are_asked_at_once_and_each_has_its_own_patience(starter: ChildStarter) -> None:
    deaf = [start(starter, DEAF, stop_s=stop_s) for stop_s in (0.2, 0.3, 0.3)]
    willing = start(starter, SLEEPS, stop_s=30.0)
    began = time.monotonic()
    end_all([*deaf, willing])
    assert 0.2 < time.monotonic() - began < 5
    assert [child.process.returncode for child in (*deaf, willing)] == [-9, -9, -9, -15]
    end_all([*deaf, willing])  # and nothing the second time


@pytest.mark.parametrize(
    ("argv", "popen", "words"),
    [(["/no/such/program"], {}, "/no/such/program"), ([sys.executable], {"cwd": "/no/such/folder"}, "/no/such/folder")],
)
def test_what_cannot_be_started_is_named(
    starter: ChildStarter, argv: list[str], popen: dict[str, str], words: str
) -> None:
    with pytest.raises(StackError, match=f"Cannot start child .*{words}"):
        starter.start(argv, name="child", **popen)


def test_only_root_gives_its_rights_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged() == Owner() and Owner().popen() == {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    nobody = unprivileged()
    assert nobody.uid and nobody.popen() == {"user": nobody.uid, "group": nobody.gid, "extra_groups": []}

    def unknown(_: str) -> None:
        raise KeyError

    monkeypatch.setattr(child_processes.pwd, "getpwnam", unknown)
    assert unprivileged() == Owner(uid=64_123, gid=64_123)


def test_an_owner_owns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owned: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda *told: owned.append(told))
    Owner().own(tmp_path)
    Owner(uid=5, gid=6).own(tmp_path)
    assert owned == [(tmp_path, 5, 6)]
