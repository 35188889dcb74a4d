"""A process that another process started, known by its pid and its start time."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_AGAIN_S = 0.02
_STATE, _START_TIME = 0, 19  # places in /proc/<pid>/stat after the name of the program


def start_time(pid: int) -> str:
    """Return when a process started, in the kernel's own words; empty for one that has ended or is a zombie."""
    if not Path("/proc/self/stat").exists():
        return _start_time_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[_STATE] in ("Z", "X") else fields[_START_TIME]


def _start_time_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, since = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else since.strip()


class ForeignProcess:
    """Stands for a `subprocess.Popen` where the process is not our child. A later process with its pid is not it."""

    UNKNOWN = 255
    """The exit status once it has ended: the kernel tells the real one to its parent only."""

    def __init__(self, pid: int, since: str) -> None:
        """`since` is its `start_time`; empty: it has ended already."""
        self.pid = pid
        self._since = since

    def poll(self) -> int | None:
        """Return None while it runs, else UNKNOWN."""
        return None if self._since and start_time(self.pid) == self._since else self.UNKNOWN

    def wait(self, timeout: float) -> int:
        """Wait at most `timeout` seconds for its end and return UNKNOWN; TimeoutExpired if it still runs."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(_AGAIN_S)
        return status
