"""The model gives NaN for a share of the requests. A good service counts each as an error and answers 500."""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, enough_probes

_FEWEST, _MOST = 20, 200
_ABSENT = object()


class NanOutputParams(Params):
    """`share` of the requests whose output is NaN, in (0, 1]."""

    share: float = Field(gt=0, le=1)


class NanOutput(HookFault):
    """Switches NaN on and off through the service's hook; the witness reads answers as a client does."""

    kind: ClassVar[str] = "nan_output"
    summary: ClassVar[str] = "The model gives NaN for a share of the requests."
    Params: ClassVar[type[Params]] = NanOutputParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests. An answer with null or NaN where a number belongs, or a 500, shows the fault."""
        pointers = tuple(live.stack.payload.response.values())
        probes = enough_probes(self.params.share, fewest=_FEWEST, most=_MOST)
        answers = live.prober.answers(probes)
        empty = sum(status == 200 and not_a_number(body, pointers) for status, body in answers)
        failed = sum(status == 500 for status, _ in answers)
        detail = f"of {len(answers)} answers {failed} are 500 and {empty} hold no number"
        if empty or failed:
            return Witness(state="present", detail=detail)
        good = answers and all(status == 200 for status, _ in answers)
        return Witness(state="absent" if good else "cannot_tell", detail=detail)


def not_a_number(body: str, pointers: tuple[str, ...]) -> bool:
    """Tell whether one of the fields of an answer is null, NaN or infinite; JSON pointers name them."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return any(_empty(_at(document, pointer)) for pointer in pointers)


def _at(document: Any, pointer: str) -> Any:
    for step in pointer.strip("/").split("/"):
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (LookupError, TypeError, ValueError):
            return _ABSENT
    return document


def _empty(value: Any) -> bool:
    return value is None or isinstance(value, float) and not math.isfinite(value)
