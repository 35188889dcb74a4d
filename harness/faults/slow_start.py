"""Restarts a role and freezes its new process at its very beginning until the heal."""

from __future__ import annotations

import signal

from tocsin.harness.declarations.fault_contract import Witness, absent, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import NewProcessFault, unanswered


class SlowStart(NewProcessFault):
    """A role is restarted, and takes long to come up."""

    capabilities = ("start", "freeze")
    restarts_role = "at_heal"

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, kill it, start another and freeze that."""
        self.remember(live)
        live.stop(self.params.role, kill=True)
        live.restart(self.params.role, wait=False)
        live.signal(self.params.role, signal.SIGSTOP)

    def heal(self, live: LiveStack) -> None:
        """Let it go on, and wait until it is up."""
        record = self.record(live)
        if not record.exists():
            return
        live.signal(self.params.role, signal.SIGCONT)
        live.restart(self.params.role)
        record.unlink()

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, and a fresh connection gets no answer: present. It answers: absent."""
        role = self.params.role
        replaced = super().witness(live)
        if replaced.state != "present":
            return replaced
        reason = unanswered(live, role)
        if not reason and live.alive(role):
            return absent(f"{replaced.detail}, and is up")
        return present(f"{replaced.detail}; {reason or 'it is not there'}")
