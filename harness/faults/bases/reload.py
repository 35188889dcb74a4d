"""Faults of a server's configuration: a broken file in the run's rendered copy, and a reload by SIGHUP."""

from __future__ import annotations

import shutil
import signal
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.fault_contract import Fault, Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import scrape, values

KEPT = ".before-the-drill"
"""Added to the name of the good file meanwhile; no glob of a configuration matches it."""


class ReloadFault(Fault):
    """Breaks a file and has it reloaded: the server refuses it and goes on with what it had, so nothing is blind."""

    capabilities = ("signal",)
    role: ClassVar[str]
    metric: ClassVar[str]
    """The server's metric of its last reload: 1 if it went well, else 0."""
    broken: ClassVar[str]
    """The content of the broken file."""

    @abstractmethod
    def file(self, live: LiveStack) -> Path:
        """Return the rendered file to break; StackError if there is none."""

    def needs(self) -> tuple[str, ...]:
        """Return the role, and that it can be sent a signal."""
        return (f"role:{self.role}", *super().needs())

    def inject(self, live: LiveStack) -> None:
        """Replace the file's content and reload; StackError if the server does not run."""
        if not self._kept(live):
            file = self.file(live)
            copy = file.with_name(f"{file.name}.copy")
            shutil.copy2(file, copy)
            copy.replace(file.with_name(file.name + self._suffix))
            file.write_text(self.broken, encoding="utf-8")  # in place: a container may have mounted this very file
        if not live.signal(self.role, signal.SIGHUP):
            raise StackError(f"Role {self.role!r} does not run, so it reloads nothing.")

    def heal(self, live: LiveStack) -> None:
        """Put the good file back and reload; a server that is down will start with it."""
        kept = self._kept(live)
        for good in kept:
            good.with_name(good.name.removesuffix(self._suffix)).write_bytes(good.read_bytes())
            good.unlink()
        if kept and not live.signal(self.role, signal.SIGHUP) and live.alive(self.role):
            raise HealError(f"Role {self.role!r} runs, and cannot be told to reload its files.")

    def witness(self, live: LiveStack) -> Witness:
        """Read the server's own metric of its last reload: 0 is present, 1 absent."""
        status, page = scrape(live, self.role)
        reloads = values(page, self.metric)
        if status != 200 or not reloads:
            return cannot_tell(f"{self.role} does not tell {self.metric} ({status})")
        return present_if(not reloads[0], f"{self.metric} is {reloads[0]:g}")

    @property
    def _suffix(self) -> str:
        return f"{KEPT}-{self.kind}"

    def _kept(self, live: LiveStack) -> list[Path]:
        """Return the good files that were put aside."""
        return sorted((live.work / "config").rglob(f"*{self._suffix}"))
