"""Rebuilds a running stack from what its engine wrote down, so that another process can heal a fault."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.common.stack_state import NAME, StackState, read
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord


def attach(work: Path, *, record: Path | None = None, roles_gone: bool = False) -> RunningStack:
    """Return the stack with this work folder, whichever engine brought it up; StackError if it cannot be reached.

    Roles that run are taken over as they are, and go on when this process ends; so do those that it starts. `record`
    replaces the stack's own record of faults. `roles_gone`: the processes have ended, and no role is started again.
    """
    try:
        content = read(work)
        run = RunFolders(id=content["run_id"], work=work, folder=_folder_with_logs(content, work))
        backend = _backend(content, run)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"No stack can be reached through {work / NAME}: {type(error).__name__}: {error}."
        raise StackError(message, hint="Its engine writes that file once the stack is started.") from None
    journal = Journal(Path(os.devnull), run.clock)  # the real one belongs to whoever brought the stack up
    faults = GuardRecord(record or work / GUARD_FILE)
    return RunningStack(backend, run=run, journal=journal, record=faults, roles_gone=roles_gone)


def _folder_with_logs(content: StackState, work: Path) -> Path:
    """Return the run directory, or the work folder if that is gone."""
    folder = Path(content.get("folder", work))
    if not (folder / "stack-logs").is_dir():
        folder = work
        (folder / "stack-logs").mkdir(exist_ok=True)
    return folder


def _backend(content: StackState, run: RunFolders) -> Backend:
    engine = content.get("engine", "local")
    if engine == "compose":
        from tocsin.harness.engines.compose.compose_backend import ComposeBackend

        return ComposeBackend.attached(content, run)
    if engine == "external":
        from tocsin.harness.engines.external.engine import ExternalBackend

        return ExternalBackend.attached(content, run)
    from tocsin.harness.engines.local.engine import LocalBackend

    return LocalBackend.attached(content, run)
