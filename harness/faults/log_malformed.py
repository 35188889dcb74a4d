"""Cuts a share of the log lines off in the middle; the witness reads the lines of its own requests."""

from __future__ import annotations

import json

from tocsin.harness.declarations.fault_contract import Witness, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import ShareParams, enough_probes
from tocsin.harness.faults.bases.log_file import LogFault


class LogMalformed(LogFault):
    """A share of the log lines is no JSON."""

    params: ShareParams

    def witness(self, live: LiveStack) -> Witness:
        """A line that is no JSON object: present. Only JSON objects: absent."""
        seen = self.appended(live, enough_probes(self.params.share))
        broken = sum(not _is_object(line) for line in seen.lines)
        detail = f"{broken} of {len(seen.lines)} lines are no JSON object"
        if broken:
            return present(detail)
        return seen.without_effect(detail)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
