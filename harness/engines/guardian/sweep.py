"""Cleans up after runs whose harness and guardian both died, from the records in their work folders."""

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
from tocsin.harness.engines.guardian.guardian import clean_up, note_in_journal
from tocsin.harness.engines.kernel.run_processes import remove_folder

PREFIX = "tocsin-"
"""What the name of a work folder begins with, before the run id."""
LOCK = "lock"
"""The file in a work folder that the harness keeps locked while it lives."""
ID = re.compile(r"[0-9]{6}-[0-9]{6}-[0-9a-f]{4}")
_YOUNG_S = 60.0


@dataclass(frozen=True, kw_only=True)
class SweptRun:
    """A dead run: the faults that were healed, how many processes were killed, and a sentence for each thing left."""

    run_id: str
    healed: tuple[str, ...] = ()
    killed: int = 0
    left: tuple[str, ...] = ()


def sweep() -> list[SweptRun]:
    """Clean up after this user's dead runs and return them: heal, take down, remove the work folders.

    A run is dead when nobody holds its lock; a live run is never touched. Its guardian may do the same work at the same
    time. A run that something is left of keeps its work folder, so that the next sweep tries again.
    """
    folders = sorted(Path(tempfile.gettempdir()).absolute().glob(f"{PREFIX}*"))
    runs = [_sweep(work) for work in folders if _is_work_folder(work)]
    return [run for run in runs if run is not None]


def _is_work_folder(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    if not ID.fullmatch(path.name.removeprefix(PREFIX)):
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _sweep(work: Path) -> SweptRun | None:
    """Clean up after one run; None for a live one, and for one that another process has just finished."""
    run_id = work.name.removeprefix(PREFIX)
    try:
        lock = os.open(work / LOCK, os.O_RDWR)
    except OSError:  # no lock yet: a run that is starting, or one that died then
        return SweptRun(run_id=run_id) if _is_old(work) and remove_folder(work) else None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = folder_of(work)
        result = clean_up(work, run_id=run_id)
        note_in_journal(folder, result)
        return SweptRun(run_id=run_id, healed=result.healed, killed=result.killed, left=result.left)
    except BlockingIOError:
        return None
    finally:
        os.close(lock)


def _is_old(work: Path) -> bool:
    try:
        return time.time() - work.stat().st_mtime > _YOUNG_S
    except OSError:
        return False
