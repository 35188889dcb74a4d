"""A run: its id, its run directory (kept) and its work folder (removed), and the sweep of what dead runs left."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.clock import Clock, RunClock
from harness.engines.guard import Guard
from harness.engines.processes import kill_carriers, remove_folder
from harness.errors import StackError
from harness.sighting import Program

KEPT = 20
FOLDERS = ("requests", "metrics", "logs", "config", "stack-logs")
_PREFIX = "tocsin-"
_LOCK = "lock"
_YOUNG_S = 60.0
_ID = re.compile(r"[0-9]{6}-[0-9]{6}-[0-9a-f]{4}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. `folder` stays; `work` is a short path that goes with the run.

    `lock` is an open file with a lock in the work folder: as long as it is held, nobody sweeps this run away. `guard`
    was there before the work folder and removes it should this process die. `programs` may be empty; the engine then
    finds what the stack needs.
    """

    id: str
    folder: Path
    work: Path
    clock: Clock
    lock: IO[bytes] = field(repr=False)
    guard: Guard = field(repr=False)
    programs: Mapping[str, Program] = field(default_factory=dict)
    engine: str = "local"

    def close(self) -> None:
        """Remove the work folder, let go of its lock and of the guardian. May be called again."""
        remove_folder(self.work)
        self.lock.close()
        self.guard.dismiss()


def make_run(
    scenario: str,
    *,
    runs: Path = Path("runs"),
    clock: Clock | None = None,
    programs: Mapping[str, Program] | None = None,
    engine: str = "local",
    keep: int = KEPT,
) -> Run:
    """Create a run: id, `runs/<scenario>/<id>` with its folders, the `latest` link, and the work folder with its lock.

    Run directories beyond the `keep` newest of this scenario are removed. StackError if a folder cannot be made.
    """
    run_id = f"{time.strftime('%y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    shelf = (runs / scenario).absolute()
    folder = shelf / run_id
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        _point(shelf / "latest", run_id)
        work = Path(tempfile.gettempdir()).absolute() / f"{_PREFIX}{run_id}"
        guard = Guard.start(run_id, work=work, folder=folder)
        lock = _make_work(work)
    except OSError as error:
        raise StackError(
            f"Cannot make a folder for the run: {error.strerror}: {error.filename}.",
            hint="Give room and permission there, or set TMPDIR and --runs.",
        ) from None
    _prune(shelf, keep)
    return Run(
        id=run_id,
        folder=folder,
        work=work,
        clock=clock or RunClock(),
        lock=lock,
        guard=guard,
        programs=dict(programs or {}),
        engine=engine,
    )


def _point(link: Path, target: str) -> None:
    fresh = link.with_name(f".latest-{target}")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def _make_work(work: Path) -> IO[bytes]:
    work.mkdir()
    work.chmod(0o755)  # an unprivileged server must reach its own folder below
    fresh = work / f".{_LOCK}"
    lock = fresh.open("xb")
    fresh.chmod(0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    fresh.rename(work / _LOCK)  # so that a lock file is never seen unlocked while its run lives
    return lock


def _prune(shelf: Path, keep: int) -> None:
    old = sorted(path for path in shelf.iterdir() if _ID.fullmatch(path.name) and not path.is_symlink())
    for folder in old[: max(len(old) - max(keep, 1), 0)]:
        if not (Path(tempfile.gettempdir()) / f"{_PREFIX}{folder.name}").exists():  # it may still be running
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[str]:
    """Clean up after dead runs of this user: kill their processes, remove their work folders; return their ids.

    A run is dead when its harness no longer holds its lock; its guardian does the same work, and both may at once. A
    live run is never touched.
    """
    swept = []
    for work in sorted(Path(tempfile.gettempdir()).absolute().glob(f"{_PREFIX}*")):
        if _ours(work) and _sweep(work):
            swept.append(work.name.removeprefix(_PREFIX))
    return swept


def _ours(work: Path) -> bool:
    try:
        seen = work.lstat()
    except OSError:
        return False
    named = _ID.fullmatch(work.name.removeprefix(_PREFIX))
    return bool(named) and stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _sweep(work: Path) -> bool:
    try:
        lock = os.open(work / _LOCK, os.O_RDWR)
    except OSError:  # no lock: a run that is just being made, or one that died while it was
        return time.time() - work.stat().st_mtime > _YOUNG_S and remove_folder(work)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kill_carriers(work.name.removeprefix(_PREFIX), within_s=5.0)
        return remove_folder(work)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
