"""Sets the clock of the service off, not the machine's; the witness reads the times in its log lines."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime

from pydantic import Field, field_validator

from tocsin.harness.declarations.fault_contract import Params, Witness, cannot_tell, witness_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.log_file import LogFault, logs_signal

_PROBES = 3
_LEAST_S = 30.0


class ClockOffsetParams(Params):
    """`offset_s` by which the clock is ahead (above 0) or behind, in production time: the speed divides it."""

    offset_s: float = Field(ge=-86_400, le=86_400)
    example = {"offset_s": -120}

    @field_validator("offset_s")
    @classmethod
    def _not_tiny(cls, value: float) -> float:
        if abs(value) < _LEAST_S:
            raise ValueError(f"is {value:g}; expected at least {_LEAST_S:g} s ahead or behind")
        return value


class ClockOffset(LogFault):
    """The wall clock of the service is off."""

    params: ClockOffsetParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return drift, whose checks are stamped by that clock."""
        return (("drift", self.role(stack)),)

    def settings(self, live: LiveStack) -> Mapping[str, object]:
        """Return the offset in wall seconds."""
        return {"offset_s": self.params.offset_s / live.speed}

    def witness(self, live: LiveStack) -> Witness:
        """Send requests: half of the offset between their lines and our clock shows the fault, a quarter denies it."""
        began = time.time()
        seen = self.appended(live, _PROBES)
        ended = time.time()
        if seen.doubt:
            return cannot_tell(seen.doubt)
        field = logs_signal(live).time
        times_s = [time_s for line in seen.lines if (time_s := _time_s(line, field)) is not None]
        if not times_s:
            return cannot_tell("no line tells its time")
        largest_s = max((time_s - min(max(time_s, began), ended) for time_s in times_s), key=abs)
        share = largest_s * live.speed / self.params.offset_s
        detail = f"log lines are {largest_s:+.3f} s off"
        return witness_of(detail, shown=share >= 0.5, well=abs(share) <= 0.25)


def _time_s(line: bytes, field: str) -> float | None:
    """Return the time of a log line in epoch seconds, None if it has none."""
    try:
        return datetime.fromisoformat(json.loads(line)[field]).timestamp()
    except (ValueError, KeyError, TypeError):
        return None
