"""What is done to a role of the local engine besides starting and ending it: limits, usage, commands beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel import open_files
from tocsin.harness.engines.kernel.process_tree import used
from tocsin.harness.engines.local.role_process import RoleProcess

_WAITING = ("sh", "-c", 'read -r go; exec "$@"', "sh")
"""Begins what follows when it is told to, so that its first write already counts for the group that it was put into."""
_LIMITS = ("memory_mib", "open_files", "writes_per_s")


def limit(role: RoleProcess, work: Path, limits: Mapping[str, float]) -> None:
    """Set limits of a role, or lift all; StackError for one that cannot be set here."""
    if unknown := sorted(set(limits) - set(_LIMITS)):
        raise StackError(f"The local engine cannot limit {', '.join(unknown)}; it can {', '.join(_LIMITS)}.")
    if not limits:
        open_files.restore(work, role.name, role.pid)
        if role.group:
            role.group.lift()
        if role.writes:
            role.writes.lift()
        return
    role.expect_end()
    if "open_files" in limits:
        open_files.lower(work, role.name, role.pid, int(limits["open_files"]))
    if "memory_mib" in limits:
        if role.group is None:
            raise StackError(f"Role {role.name!r} has no memory group: no fault of the plan asked for one.")
        role.group.limit(limits["memory_mib"])
    if "writes_per_s" in limits:
        if role.writes is None:
            raise StackError(f"Role {role.name!r} has no disk that can be slowed: no fault of the plan asked for one.")
        role.writes.limit(limits["writes_per_s"])


def usage(role: RoleProcess) -> dict[str, float]:
    """Return what the kernel says of a role's processes and of its memory group, if it has one."""
    of_group = role.group.usage() if role.group else {}
    return {**used(role.pid), **open_files.lowest(role.pid), **of_group}


def run_in(role: RoleProcess, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
    """Run a short command in the role's folder as its user, in its group for writes; killed when it takes longer."""
    child = role.nursery.start(
        (*_WAITING, *argv),
        name=f"{role.name}-command",
        env={"LC_ALL": "C"},
        owner=role.owner,
        cwd=str(role.places.data(role.name)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if role.writes:
        role.writes.add(child.process.pid)
    try:
        output, _ = child.process.communicate(b"\n", timeout=within_s)
    except subprocess.TimeoutExpired:
        child.end(kill=True)
        raise StackError(f"{argv[0]} beside {role.name} took longer than {within_s:g} s.") from None
    return child.process.returncode, output.decode("utf-8", errors="replace")
