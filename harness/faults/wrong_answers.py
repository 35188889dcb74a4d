"""The model answers wrongly for a share of the requests: accuracy falls, latency and errors do not."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault

_FALLEN, _LEAST = 0.1, 0.02
"""A tenth of the share shows the fault, but never less than two in a hundred: a good model is wrong now and then."""


class WrongAnswersParams(Params):
    """`share` of the answers that are wrong, in (0, 1]."""

    share: float = Field(gt=0, le=1)


class WrongAnswers(HookFault):
    """Switches the fault through the service's hook; the witness reads what comes of it: the accuracy by labels."""

    kind: ClassVar[str] = "wrong_answers"
    summary: ClassVar[str] = "The model answers wrongly for a share of the requests."
    Params: ClassVar[type[Params]] = WrongAnswersParams

    def witness(self, live: LiveStack) -> Witness:
        """Read the accuracy gauge: a tenth of the share missing shows the fault. Without labels nobody can tell."""
        signal = live.stack.signals.accuracy
        if signal is None:
            raise StackError("The stack names no accuracy signal.", hint="Add `signals: accuracy:` to stack.yaml.")
        address = live.address(live.stack.payload.role)
        _, text = call("GET", address, "/metrics")
        values = [float(value) for value in re.findall(rf"^{signal.metric}{{[^}}]*}} (\S+)$", text, re.MULTILINE)]
        if not values:
            return Witness(state="cannot_tell", detail=f"{signal.metric} has no value: no labels come back")
        lowest = min(values)
        state = "present" if lowest < 1 - max(_FALLEN * self.params.share, _LEAST) else "absent"
        return Witness(state=state, detail=f"{signal.metric} is {lowest:.3f}")  # type: ignore[arg-type]
