"""Makes the service take itself for another version of its model; the witness reads it in answers."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault

_PROBES = 3


class WrongVersionParams(Params):
    """`version` that the service takes itself for: letters, digits, dots, dashes, 40 at most."""

    version: str = Field(default="0-rollback", pattern=r"^[A-Za-z0-9_.-]{1,40}$")


class WrongVersion(HookFault):
    """The service answers with another version of the model than was deployed."""

    params: WrongVersionParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: an answer that holds the version shows the fault."""
        answers = live.prober.answers(_PROBES)
        good = [body for status, body in answers if status == 200]
        wrong = sum(f'"{self.params.version}"' in body for body in good)
        detail = f"{wrong} of {len(good)} answers name version {self.params.version}"
        return witness_of(detail, shown=wrong > 0, well=len(good) == len(answers) > 0)
