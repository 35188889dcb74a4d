"""Cleans up after runs whose harness and guardian are both dead, by the records in their work folders."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.engines.common.stack_state import folder_of
from tocsin.harness.engines.guardian.guardian import Cleaned, clean, note
from tocsin.harness.engines.kernel.run_processes import remove_folder

PREFIX = "tocsin-"
"""A work folder is called so, with the run's id behind it."""
LOCK = "lock"
"""The file in it that the harness holds locked as long as it lives."""
ID = re.compile(r"[0-9]{6}-[0-9]{6}-[0-9a-f]{4}")
_YOUNG_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A dead run that was cleaned up after: what was healed, how many processes were killed, and what is left."""

    run_id: str
    healed: tuple[str, ...] = ()
    killed: int = 0
    left: tuple[str, ...] = ()


def sweep() -> list[Swept]:
    """Undo what dead runs of this user left, take their stacks down and remove their work folders.

    A run is dead when its harness no longer holds its lock; its guardian does the same work, and both may at once. A
    live run is never touched. What cannot be undone keeps its work folder, so that the next sweep tries again.
    """
    places = sorted(Path(tempfile.gettempdir()).absolute().glob(f"{PREFIX}*"))
    return [swept for work in places if _ours(work) and (swept := _sweep(work))]


def _ours(work: Path) -> bool:
    try:
        seen = work.lstat()
    except OSError:
        return False
    named = ID.fullmatch(work.name.removeprefix(PREFIX))
    return bool(named) and stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _sweep(work: Path) -> Swept | None:
    """Clean up after one run; None for a live one, and for one that somebody else has just finished with."""
    run_id = work.name.removeprefix(PREFIX)
    try:
        lock = os.open(work / LOCK, os.O_RDWR)
    except OSError:  # no lock: a run that is just being made, or one that died while it was
        return Swept(run_id=run_id) if _old(work) and remove_folder(work) else None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = folder_of(work)
        cleaned = clean(work, run_id=run_id, folder=folder)
        note(folder, cleaned)
        return _told(run_id, cleaned)
    except BlockingIOError:
        return None
    finally:
        os.close(lock)


def _old(work: Path) -> bool:
    try:
        return time.time() - work.stat().st_mtime > _YOUNG_S
    except OSError:
        return False


def _told(run_id: str, cleaned: Cleaned) -> Swept:
    return Swept(run_id=run_id, healed=cleaned.healed, killed=cleaned.killed, left=cleaned.left)
