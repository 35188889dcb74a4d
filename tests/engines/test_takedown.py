from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tocsin.harness.engines.guardian import takedown
from tocsin.harness.engines.guardian.takedown import take_down


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takedown, "QUIET_S", 0.0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order: the engine's own end, the processes, what lies outside."""
    done: list[str] = []
    engine = ModuleType("tocsin.harness.engines.compose.removal")

    def down(written: dict[str, Any], run_id: str, within_s: float) -> list[str]:
        done.append(f"compose {written['project']} {run_id}")
        if written.get("crash"):
            raise RuntimeError("no socket")
        return list(written.get("left", ()))

    engine.take_down = down  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    monkeypatch.setattr(takedown, "kill_run", lambda run_id, within_s: done.append("kill") or (3, []))
    monkeypatch.setattr(takedown.host_cleanup, "take_away", lambda work, within_s: done.append("away") or [])
    return done


ENGINES = [
    ("no engine.json", None, ["kill", "away"], ()),
    ("local", {"engine": "local"}, ["kill", "away"], ()),
    ("not an object", ["compose"], ["kill", "away"], ()),
    ("compose", {"engine": "compose", "project": "p"}, ["compose p r1", "kill", "away"], ()),
    (
        "compose leaves something",
        {"engine": "compose", "project": "p", "left": ["Container c is left."]},
        ["compose p r1", "kill", "away"],
        ("Container c is left.",),
    ),
    (
        "compose crashes",
        {"engine": "compose", "project": "p", "crash": True},
        ["compose p r1", "kill", "away"],
        ("The compose stack of run r1 was not taken down: RuntimeError: no socket.",),
    ),
]


@pytest.mark.parametrize(("name", "written", "done", "left"), ENGINES, ids=[name for name, *_ in ENGINES])
def test_the_engine_then_the_processes_then_what_lies_outside(
    tmp_path: Path, calls: list[str], name: str, written: Any, done: list[str], left: tuple[str, ...]
) -> None:
    if written is not None:
        (tmp_path / "engine.json").write_text(json.dumps(written))
    killed, left_now = take_down(tmp_path, "r1", 5.0)
    assert (calls, left_now, killed) == (done, list(left), 3)


def test_a_torn_engine_file_is_named_and_the_processes_are_still_ended(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "engine.json").write_text('{"engine": "comp')
    _, left_now = take_down(tmp_path, "r1", 5.0)
    assert calls == ["kill", "away"]
    assert len(left_now) == 1 and "engine.json cannot be read" in left_now[0]


def test_processes_and_mounts_that_stay_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takedown, "kill_run", lambda run_id, within_s: (1, [77]))
    monkeypatch.setattr(takedown.host_cleanup, "take_away", lambda work, within_s: [str(work / "disk")])
    _, left_now = take_down(tmp_path, "r1", 5.0)
    assert left_now == ["Process 77 of run r1 still runs.", f"{tmp_path}/disk is left."]

    def fails(work: Path, within_s: float) -> list[str]:
        raise OSError("no umount")

    monkeypatch.setattr(takedown.host_cleanup, "take_away", fails)
    assert "were not removed: OSError: no umount" in take_down(tmp_path, "r1", 5.0)[1][1]


LATE = [
    ("at once", [2, 0], 2),
    ("one that had just been forked", [0, 0, 1, 0], 1),
    ("one after the other", [3, 1, 1, 0], 5),
    ("nobody", [0], 0),
]


@pytest.mark.parametrize(("name", "seen", "killed"), LATE, ids=[name for name, *_ in LATE])
def test_a_process_that_shows_late_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, seen: list[int], killed: int
) -> None:
    looks = [*seen]
    monkeypatch.setattr(takedown, "QUIET_S", 0.05)
    monkeypatch.setattr(takedown, "_AGAIN_S", 0.005)
    monkeypatch.setattr(takedown, "kill_run", lambda *_: (looks.pop(0) if looks else 0, []))
    assert take_down(tmp_path, "r1", 5.0)[0] == killed
    assert not looks


def test_an_engine_file_of_another_shape_keeps_the_folder(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text('["local"]')
    assert "were not removed: AttributeError" in take_down(tmp_path, "no-such-run", 1.0)[1][0]


def test_a_work_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    assert take_down(tmp_path / "gone", "no-such-run", 1.0)[1] == []
