"""Plays drills as a user would, each in a process, on a copy of the reference stack that may differ in one thing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SPEED = "60"
TOCSIN = (sys.executable, "-c", "import sys; from tocsin.harness.cli import main; sys.exit(main())")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs from the good stack: in `file`, `old` becomes `new`; `old` must stand there once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a drill left: exit code, everything it printed, verdicts by title, its run directory if it made one."""

    code: int
    output: str
    verdicts: list[dict[str, Any]]
    folder: Path | None

    def answers(self, check: str) -> list[tuple[str, str]]:
        """Return (answer, reason) of every verdict of that check."""
        return [(verdict["answer"], verdict["reason"]) for verdict in self.verdicts if verdict["check"] == check]


def copy_stack(folder: Path, changes: Sequence[Change] = ()) -> Path:
    """Copy the reference stack to `folder` and make the changes; AssertionError if one does not apply exactly once."""
    shutil.copytree(ROOT / "stacks" / "reference", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for change in changes:
        path = folder / change.file
        text = path.read_text(encoding="utf-8")
        assert text.count(change.old) == 1, f"{change.old!r} stands {text.count(change.old)} times in {change.file}"
        path.write_text(text.replace(change.old, change.new), encoding="utf-8")
    return folder


def start(
    runs: Path, *argv: str, program: Sequence[str] = TOCSIN, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start `tocsin ARGV... --runs RUNS` from the project's root; its output is a pipe."""
    command = [*program, *argv, "--runs", str(runs)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def finished(process: subprocess.Popen[str], runs: Path, scenario: str, within_s: float = 240.0) -> Played:
    """Wait for the drill and read what it left."""
    output, _ = process.communicate(timeout=within_s)
    folder = runs / scenario / "latest"
    path = folder / "verdicts.json"
    verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"] if path.is_file() else []
    return Played(
        code=process.returncode, output=output, verdicts=verdicts, folder=folder.resolve() if folder.exists() else None
    )


def play(
    runs: Path,
    stack: Path | None = None,
    *,
    scenario: str = "proof",
    program: Sequence[str] = TOCSIN,
    more: Sequence[str] = (),
) -> Played:
    """Play a scenario of the project at the tests' speed and read what it left."""
    on = ("--stack", str(stack)) if stack else ()
    process = start(runs, "run", f"scenarios/{scenario}.yaml", "--speed", SPEED, *on, *more, program=program)
    return finished(process, runs, scenario)


def carriers(run_id: str) -> list[int]:
    """Return the processes that carry this run's id."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TOCSIN_RUN_ID") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
