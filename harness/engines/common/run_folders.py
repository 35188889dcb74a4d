"""A run: its id, its run directory (kept) and its work folder (removed)."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tocsin.harness.core.clock import Clock, RunClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.child_processes import Child, ChildStarter
from tocsin.harness.engines.guardian.launcher import Guardian
from tocsin.harness.engines.guardian.sweep import ID, LOCK, PREFIX, SweptRun, sweep
from tocsin.harness.engines.kernel.run_processes import remove_folder
from tocsin.harness.provisioning.program_lookup import Program

KEPT = 20
FOLDERS = ("requests", "metrics", "logs", "config", "stack-logs")


@dataclass(frozen=True, kw_only=True)
class RunFolders:
    """A run as every process of it knows it. `folder` is the run directory; the short path `work` goes with the run."""

    id: str
    folder: Path
    work: Path
    clock: Clock = field(default_factory=RunClock)
    children: list[Child] = field(default_factory=list, repr=False)
    """Every child process that was started for the run."""

    def child_starter(self) -> ChildStarter:
        """Return what starts the child processes of the run."""
        return ChildStarter(run_id=self.id, logs=self.folder / "stack-logs", children=self.children)


@dataclass(frozen=True, kw_only=True)
class Run(RunFolders):
    """A run of this process.

    `lock` is an open file with a lock in the work folder: as long as it is held, no sweep touches the run. `guard` was
    started before the work folder was made, and removes it should this process die. `programs` may be empty; the engine
    then finds what the stack needs.
    """

    lock: IO[bytes] = field(repr=False)
    guard: Guardian = field(repr=False)
    programs: Mapping[str, Program] = field(default_factory=dict)
    swept: tuple[SweptRun, ...] = ()
    """What was cleaned up after dead runs before this one was made."""

    def close(self) -> None:
        """Remove the work folder, release its lock and dismiss the guardian. May be called again.

        Where the guardian still has to clean up, the folder with its records is left to it.
        """
        if not self.guard.needed:
            remove_folder(self.work)
        self.lock.close()
        self.guard.dismiss()


def make_run(
    scenario: str,
    *,
    runs: Path = Path("runs"),
    clock: Clock | None = None,
    programs: Mapping[str, Program] | None = None,
    keep: int = KEPT,
) -> Run:
    """Create a run: id, `runs/<scenario>/<id>` with its folders, the `latest` link, and the work folder with its lock.

    What dead runs left is swept away first. Run directories beyond the `keep` newest of this scenario are removed.
    StackError if a folder cannot be made.
    """
    swept = tuple(sweep())
    run_id = f"{time.strftime('%y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    scenario_runs = (runs / scenario).absolute()
    folder = scenario_runs / run_id
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        fresh_link = scenario_runs / f".latest-{run_id}"
        fresh_link.symlink_to(run_id)
        fresh_link.replace(scenario_runs / "latest")
        work = Path(tempfile.gettempdir()).absolute() / f"{PREFIX}{run_id}"
        guard = Guardian.start(run_id, work=work, folder=folder)
        lock = _make_work(work)
    except OSError as error:
        hint = "Give room and permission there, or set TMPDIR and --runs."
        raise StackError(f"Cannot make a folder for the run: {error.strerror}: {error.filename}.", hint=hint) from None
    _prune(scenario_runs, keep)
    clock, programs = clock or RunClock(), dict(programs or {})
    return Run(id=run_id, folder=folder, work=work, clock=clock, lock=lock, guard=guard, programs=programs, swept=swept)


def _make_work(work: Path) -> IO[bytes]:
    work.mkdir()
    work.chmod(0o755)  # an unprivileged server must reach its own folder below
    fresh = work / f".{LOCK}"
    lock = fresh.open("xb")
    fresh.chmod(0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    fresh.rename(work / LOCK)  # so that a lock file is never seen unlocked while its run lives
    return lock


def _prune(scenario_runs: Path, keep: int) -> None:
    old = sorted(path for path in scenario_runs.iterdir() if ID.fullmatch(path.name) and not path.is_symlink())
    for folder in old[: max(len(old) - max(keep, 1), 0)]:
        if not (Path(tempfile.gettempdir()) / f"{PREFIX}{folder.name}").exists():  # it may still be running
            shutil.rmtree(folder, ignore_errors=True)
