"""The service's wall clock is off, and so are its log lines and timestamps. The machine's clock is left alone."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import ClassVar

from pydantic import Field, field_validator

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import turn_on
from tocsin.harness.faults.bases.log_file import LogFault, logs_signal, unclear

_PROBES = 3
_LEAST_S = 30.0


class ClockOffsetParams(Params):
    """`offset_s` by which the clock is ahead (above 0) or behind, in production time: the speed divides it."""

    offset_s: float = Field(ge=-86_400, le=86_400)

    @field_validator("offset_s")
    @classmethod
    def _not_tiny(cls, value: float) -> float:
        if abs(value) < _LEAST_S:
            raise ValueError(f"is {value:g}; expected at least {_LEAST_S:g} s ahead or behind")
        return value


class ClockOffset(LogFault):
    """Sets the clock off through the service's hook; the witness reads the times in the log lines of its requests."""

    kind: ClassVar[str] = "clock_offset"
    summary: ClassVar[str] = "The wall clock of the service is off."
    Params: ClassVar[type[Params]] = ClockOffsetParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return drift, whose checks are stamped by that clock."""
        return (("drift", self.role(stack)),)

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on, with the offset in wall seconds."""
        turn_on(live, self.kind, {"offset_s": self._wall_s(live)})

    def witness(self, live: LiveStack) -> Witness:
        """Send requests: half of the offset between their lines and our clock shows the fault, a quarter denies it."""
        began = time.time()
        seen = self.appended(live, _PROBES)
        ended = time.time()
        if (doubt := unclear(seen)) is not None:
            return doubt
        off = [time_s - min(max(time_s, began), ended) for line in seen.lines if (time_s := self._time_s(live, line))]
        if not off:
            return Witness(state="cannot_tell", detail="no line tells its time")
        largest = max(off, key=abs)
        share = largest / self._wall_s(live)
        state = "present" if share >= 0.5 else "absent" if abs(share) <= 0.25 else "cannot_tell"
        return Witness(state=state, detail=f"log lines are {largest:+.3f} s off")  # type: ignore[arg-type]

    def _wall_s(self, live: LiveStack) -> float:
        return float(self.params.offset_s / live.speed)

    def _time_s(self, live: LiveStack, line: bytes) -> float | None:
        try:
            told = json.loads(line)[logs_signal(live).time]
            return datetime.fromisoformat(told).timestamp()
        except (ValueError, KeyError, TypeError):
            return None
