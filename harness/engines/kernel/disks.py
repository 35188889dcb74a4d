"""Small file systems of a role's own over a folder below the work folder: a tmpfs, or a file with a loop device."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.engines.kernel import write_cgroups
from tocsin.harness.faults import needs

_MOUNT_S = 10.0
_OPTIONS = "nosuid,nodev,noexec"
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_CAN_MOUNT = 21  # CAP_SYS_ADMIN


def able() -> bool:
    """Tell whether this process may mount a file system (Linux, root with the right to)."""
    if not (shutil.which("mount") and shutil.which("umount")):
        return False
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    rights = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(rights, 16) >> _CAN_MOUNT & 1)


def wanted(timeline: Timeline) -> tuple[str, ...]:
    """Return the names of the disks that faults of the plan need, each once."""
    return _named(timeline, "handle:disk:")


def _named(timeline: Timeline, prefix: str) -> tuple[str, ...]:
    named = [need for fault in timeline.faults for need in needs(fault.kind, fault.params)]
    return tuple(dict.fromkeys(need.removeprefix(prefix) for need in named if need.startswith(prefix)))


def able_to_slow() -> bool:
    """Tell whether a disk with a device of its own can be made, and its writes slowed."""
    tools = shutil.which("mkfs.ext4", path=_PATH) and Path("/dev/loop-control").exists()
    return able() and bool(tools) and write_cgroups.shelf() is not None


def slowed(timeline: Timeline) -> tuple[str, ...]:
    """Return the names of the disks that faults of the plan slow down, each once."""
    return _named(timeline, "handle:slow:")


def mount(place: Path, mib: int) -> None:
    """Mount a tmpfs of so many MiB over a folder; StackError if that is refused."""
    place.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755,{_OPTIONS}", "tocsin", str(place))


def mount_file(place: Path, mib: int, image: Path) -> None:
    """Make a file of so many MiB a file system and mount it over a folder, every write going through at once.

    The loop device that stands between goes with the mount. StackError if any of it is refused.
    """
    place.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(mib * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", str(image))
    _run("mount", "-o", f"loop,sync,{_OPTIONS}", str(image), str(place))
    place.chmod(0o755)


def _run(*argv: str) -> None:
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_MOUNT_S, check=False, env=environment)
    if done.returncode:
        raise StackError(f"Cannot make a disk: {' '.join(argv)}: {done.stderr.strip()}.", hint="It takes root.")
