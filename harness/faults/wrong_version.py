"""The service answers with another version of the model than the one that was deployed."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault

_PROBES = 3


class WrongVersionParams(Params):
    """`version` that the service takes itself for: letters, digits, dots, dashes, 40 at most."""

    version: str = Field(default="0-rollback", pattern=r"^[A-Za-z0-9_.-]{1,40}$")


class WrongVersion(HookFault):
    """Switches the version through the service's hook; the witness looks for it in the answers that clients get."""

    kind: ClassVar[str] = "wrong_version"
    summary: ClassVar[str] = "The service answers with another version of the model than was deployed."
    Params: ClassVar[type[Params]] = WrongVersionParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: an answer that holds the version shows the fault."""
        answers = live.prober.answers(_PROBES)
        wrong = sum(f'"{self.params.version}"' in body for status, body in answers if status == 200)
        answered = sum(status == 200 for status, _ in answers)
        detail = f"{wrong} of {answered} answers name version {self.params.version}"
        if wrong:
            return Witness(state="present", detail=detail)
        return Witness(state="absent" if answered == len(answers) > 0 else "cannot_tell", detail=detail)
