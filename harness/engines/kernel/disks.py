"""Mounts small file systems over a folder below the work folder: a tmpfs, or an image file on a loop device."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel import write_cgroups

_MOUNT_S = 10.0
_OPTIONS = "nosuid,nodev,noexec"
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_CAP_SYS_ADMIN = 21


def can_mount() -> bool:
    """Return whether this process may mount a file system: Linux, root, CAP_SYS_ADMIN."""
    if not (shutil.which("mount") and shutil.which("umount")):
        return False
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    capabilities = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return any(int(mask, 16) >> _CAP_SYS_ADMIN & 1 for mask in capabilities)


def can_slow() -> bool:
    """Return whether a disk with a device of its own can be made here, and its writes slowed."""
    tools = shutil.which("mkfs.ext4", path=_PATH) and Path("/dev/loop-control").exists()
    return can_mount() and bool(tools) and write_cgroups.parent() is not None


def mount_tmpfs(folder: Path, mib: int) -> None:
    """Mount a tmpfs of `mib` MiB over a folder; StackError if that is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755,{_OPTIONS}", "tocsin", str(folder))


def mount_image(folder: Path, mib: int, image: Path) -> None:
    """Make an ext4 image of `mib` MiB and mount it over a folder, with `sync`; StackError if that is refused.

    The loop device goes when it is unmounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(mib * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", str(image))
    _run("mount", "-o", f"loop,sync,{_OPTIONS}", str(image), str(folder))
    folder.chmod(0o755)


def _run(*argv: str) -> None:
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_MOUNT_S, check=False, env=environment)
    if done.returncode:
        raise StackError(f"Cannot make a disk: {' '.join(argv)}: {done.stderr.strip()}.", hint="It takes root.")
