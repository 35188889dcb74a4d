"""A share of the log lines is cut off in the middle."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import enough_probes
from tocsin.harness.faults.bases.log_file import LogFault, unclear

_FEWEST, _MOST = 20, 200


class LogMalformedParams(Params):
    """`share` of the lines that are no JSON, in (0, 1]."""

    share: float = Field(gt=0, le=1)


class LogMalformed(LogFault):
    """Cuts lines through the service's hook; the witness reads those of its own requests, and others in between."""

    kind: ClassVar[str] = "log_malformed"
    summary: ClassVar[str] = "A share of the log lines is no JSON."
    Params: ClassVar[type[Params]] = LogMalformedParams

    def witness(self, live: LiveStack) -> Witness:
        """A line that is no JSON object: present. All lines are one: absent."""
        seen = self.appended(live, enough_probes(self.params.share, fewest=_FEWEST, most=_MOST))
        broken = sum(not _is_object(line) for line in seen.lines)
        detail = f"{broken} of {len(seen.lines)} lines are no JSON object"
        if broken:
            return Witness(state="present", detail=detail)
        return unclear(seen) or Witness(state="absent", detail=detail)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
