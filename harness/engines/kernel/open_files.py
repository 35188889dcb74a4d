"""The soft limit on open files of a role's processes (`RLIMIT_NOFILE`), lowered and restored while they run.

What it was is written into the work folder before it is lowered, so that another process can restore it.
"""

from __future__ import annotations

import json
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel.process_tree import family

_ROW = "Max open files"
_SET_S = 5.0


def able() -> bool:
    """Tell whether this system lets us limit a process that runs (Linux; one's own, or any as root)."""
    return hasattr(resource, "prlimit")


def lower(work: Path, role: str, pid: int | None, files: int) -> None:
    """Lower the soft limit of all of a family; StackError if none of it is there."""
    processes = family(pid)
    if not processes:
        raise StackError(f"Role {role!r} does not run, so its open files cannot be limited.")
    place = _place(work, role)
    before = _read(place)
    for process in processes:
        before.setdefault(_key(process), list(_limits(process)))
    place.write_text(json.dumps(before), encoding="utf-8")
    for process in processes:
        _set(process, files, before[_key(process)][1])


def restore(work: Path, role: str, pid: int | None) -> None:
    """Give every process of the family back what it had; nothing where it was never lowered."""
    place = _place(work, role)
    before = _read(place)
    for process in family(pid) if before else []:
        with suppress(psutil.NoSuchProcess):
            if limits := before.get(_key(process)):
                _set(process, limits[0], limits[1])
    place.unlink(missing_ok=True)


def lowest(pid: int | None) -> dict[str, float]:
    """Return `open_files_limit`, the lowest soft limit of the family by the kernel; nothing where there is none."""
    limits = []
    for process in family(pid) if able() else []:
        with suppress(psutil.Error):
            limits.append(float(_limits(process)[0]))
    return {"open_files_limit": min(limits)} if limits else {}


def _limits(process: psutil.Process) -> tuple[int, int]:
    """Return (soft, hard) of a process, which anybody may read; -1 for none. NoSuchProcess if it has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii").splitlines()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    soft, hard = next(line for line in lines if line.startswith(_ROW)).removeprefix(_ROW).split()[:2]
    return tuple(-1 if text == "unlimited" else int(text) for text in (soft, hard))  # type: ignore[return-value]


def _set(process: psutil.Process, soft: int, hard: int) -> None:
    """Set the limits of a process; as its own user where root may not, as root without CAP_SYS_RESOURCE."""
    try:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
    except psutil.AccessDenied:
        words = [text if text >= 0 else "unlimited" for text in (soft, hard)]
        argv = ["prlimit", f"--pid={process.pid}", f"--nofile={words[0]}:{words[1]}"]
        try:
            owner, group = process.uids().real, process.gids().real
            subprocess.run(
                argv, user=owner, group=group, extra_groups=[], check=True, capture_output=True, timeout=_SET_S
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"The open files of process {process.pid} cannot be limited: {error}.") from None


def _place(work: Path, role: str) -> Path:
    return work / f"open-files-{role}.json"


def _key(process: psutil.Process) -> str:
    return f"{process.pid} {process.create_time()}"


def _read(place: Path) -> dict[str, list[int]]:
    try:
        content: dict[str, list[int]] = json.loads(place.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return content
