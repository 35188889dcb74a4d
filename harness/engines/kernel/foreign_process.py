"""A process that somebody else started, known by its pid and when it began: what a `Child` asks of a Popen."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_AGAIN_S = 0.02
_BEGAN, _STATE = 19, 0  # places in /proc/<pid>/stat behind the name of the program


def began(pid: int) -> str:
    """Return when a process began, as the kernel tells; empty for one that is gone or a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return ""
        fields = stat.rpartition(")")[2].split()
        return "" if fields[_STATE] in ("Z", "X") else fields[_BEGAN]
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, since = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else since.strip()


class Adopted:
    """Stands for `subprocess.Popen` where the process is not our child; another one with its pid is not it."""

    UNKNOWN = 255
    """The exit status of one that has ended: only its parent was told the real one."""

    def __init__(self, pid: int, since: str) -> None:
        self.pid = pid
        self._since = since

    def poll(self) -> int | None:
        """Return None while it runs, else UNKNOWN."""
        return None if self._since and began(self.pid) == self._since else self.UNKNOWN

    def wait(self, timeout: float) -> int:
        """Wait for its end; TimeoutExpired if it does not come."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(_AGAIN_S)
        return code
