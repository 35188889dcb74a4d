"""Starts processes that spin at a lower priority than the stack; the witness reads their processor time."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import psutil
from pydantic import Field

from tocsin.harness.declarations.fault_contract import Fault, Params, Witness, absent, present_if
from tocsin.harness.declarations.stack_interface import LiveStack, StackFacts

_MARK = "tocsin-cpu-hog"
_SPIN = "import os, sys, time; os.nice(int(sys.argv[2])); end = time.monotonic() + float(sys.argv[3])\n" + (
    "while time.monotonic() < end and os.getppid() == int(sys.argv[4]):\n    sum(range(20000))"
)
_LONGEST_S = 1800.0
_BUSY_S = 0.2


class CpuHogParams(Params):
    """`processes` that spin, each for half an hour of wall time at most, at priority `nice` (19 is the lowest)."""

    processes: int = Field(default=1, ge=1, le=64)
    nice: int = Field(default=10, ge=1, le=19)


class CpuHog(Fault):
    """A noisy neighbour keeps processors busy."""

    params: CpuHogParams

    def inject(self, live: LiveStack) -> None:
        """Start as many processes as are missing; they also end when whoever started them does."""
        for _ in range(self.params.processes - len(_hogs(live))):
            argv = [sys.executable, "-c", _SPIN, _MARK, str(self.params.nice), str(_LONGEST_S), str(os.getpid())]
            live.spawn(argv, name="cpu-hog")

    def heal(self, live: LiveStack) -> None:
        """Kill them."""
        hogs = _hogs(live)
        for process in hogs:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(hogs, timeout=2)

    def witness(self, live: LiveStack) -> Witness:
        """Each has used processor time: present. None is there: absent. Too little yet to tell: cannot tell."""
        used_s = [_used_s(process) for process in _hogs(live)]
        if not used_s:
            return absent("no process of it is there")
        detail = f"{len(used_s)} processes have used {sum(used_s):.1f} s of processor time"
        busy = len(used_s) == self.params.processes and min(used_s) >= _BUSY_S
        return present_if(busy, detail, otherwise="cannot_tell")


def _hogs(live: StackFacts) -> list[psutil.Process]:
    """Return the processes of this run that spin."""
    hogs = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = _MARK in process.cmdline() and process.environ().get("TOCSIN_RUN_ID") == live.run_id
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                hogs.append(process)
    return hogs


def _used_s(process: psutil.Process) -> float:
    """Return the processor seconds that a process has used, 0 if it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
