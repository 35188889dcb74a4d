"""Makes the model give NaN. A good service counts each as an error and answers 500."""

from __future__ import annotations

import json
import math

from tocsin.harness.core.json_pointer import resolve
from tocsin.harness.declarations.fault_contract import Witness, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, ShareParams, enough_probes


class NanOutput(HookFault):
    """The model gives NaN for a share of the requests."""

    params: ShareParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests. An answer with null or NaN where a number belongs, or a 500, shows the fault."""
        pointers = tuple(live.stack.payload.response.values())
        answers = live.prober.answers(enough_probes(self.params.share))
        empty = sum(status == 200 and not_a_number(body, pointers) for status, body in answers)
        failed = sum(status == 500 for status, _ in answers)
        detail = f"of {len(answers)} answers {failed} are 500 and {empty} hold no number"
        well = bool(answers) and all(status == 200 for status, _ in answers)
        return witness_of(detail, shown=bool(empty or failed), well=well)


def not_a_number(body: str, pointers: tuple[str, ...]) -> bool:
    """Tell whether one of the fields of an answer is null, NaN or infinite; JSON pointers name them."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return any(_is_empty(document, pointer) for pointer in pointers)


def _is_empty(document: object, pointer: str) -> bool:
    try:
        value = resolve(document, pointer)
    except LookupError:
        return False
    if value is None:
        return True
    return isinstance(value, float) and not math.isfinite(value)
