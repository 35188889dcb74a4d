"""Asks a role to end (SIGTERM), as a deployment does: it may finish what it does and write down what it holds."""

from __future__ import annotations

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.kill import Kill


class Terminate(Kill):
    """A role is asked to end, and started again at the end."""

    def inject(self, live: LiveStack) -> None:
        """Ask it to end; one that has not after its `stop_s` is killed."""
        live.stop(self.params.role)
