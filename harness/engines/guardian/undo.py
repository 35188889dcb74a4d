"""Heals faults after the harness died: `python -m tocsin.harness.engines.guardian.undo WORK [--record FILE] ...`.

The stack is rebuilt from what its engine wrote down, and every unhealed fault of the record heals itself, newest first.
Prints one JSON object a line: `{"healed": name}` or `{"left": name, "why": sentence}`.
`--outliving`: only faults whose effect outlives the stack's processes. `--down`: the processes have ended already.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tocsin.harness.declarations.fault_contract import touched
from tocsin.harness.declarations.stack import Stack, ends_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord, RecordedFault
from tocsin.harness.faults import make

BEYOND_S = 5.0
"""Wall seconds that healing may take beyond the start time (`fixed_s`) of the slowest role concerned."""
_NEXT_S = 0.5
"""Wall seconds that are kept for each fault that is still to be healed."""
Report = Callable[[dict[str, str]], None]


def undo(
    live: LiveStack, record: GuardRecord, faults: Sequence[RecordedFault], within_s: float, report: Report
) -> bool:
    """Heal the faults, newest first; return whether all were. One that hangs or raises does not stop the others."""
    deadline = time.monotonic() + within_s
    complete = True
    for still_to_heal, fault in reversed(list(enumerate(faults))):
        remaining_s = deadline - time.monotonic() - still_to_heal * _NEXT_S
        reason = _heal(live, fault, max(remaining_s, _NEXT_S))
        if reason:
            complete = False
            report({"left": fault.name, "why": reason})
        else:
            record.write_heal(fault.name, at=time.time())
            report({"healed": fault.name})
    return complete


def _heal(live: LiveStack, fault: RecordedFault, within_s: float) -> str:
    """Heal one fault; return why that failed, or an empty string."""
    reasons: list[str] = []

    def heal() -> None:
        try:
            make(fault.kind, fault.params).heal(live)
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")

    healing = threading.Thread(target=heal, daemon=True)
    healing.start()
    healing.join(within_s)
    if healing.is_alive():
        return f"its heal took longer than {within_s:.1f} s"
    return "".join(reasons)


def bound_s(live: LiveStack, faults: Sequence[RecordedFault]) -> float:
    """Return the time budget for healing: the longest `fixed_s` of the roles that the faults name, and 5 s."""
    roles = [live.stack.roles.get(name) for fault in faults for name in _roles_named(live.stack, fault)]
    return BEYOND_S + max((role.fixed_s for role in roles if role is not None), default=0.0)


def _roles_named(stack: Stack, fault: RecordedFault) -> list[str]:
    try:
        roles, edges = touched(make(fault.kind, fault.params), stack)
    except (KeyError, ValueError):  # its heal will say so
        return []
    return [*roles, *(role for edge in edges for role in ends_of(edge))]


def main(argv: Sequence[str]) -> int:
    """Heal; return 0, or 70 when something is left."""
    parser = argparse.ArgumentParser(prog="undo")
    parser.add_argument("work", type=Path)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--outliving", action="store_true")
    parser.add_argument("--down", action="store_true")
    parser.add_argument("--within", type=float, default=60.0)
    options = parser.parse_args(argv)
    began = time.monotonic()
    record = GuardRecord(options.record or options.work / GUARD_FILE)
    faults = [fault for fault in record.unhealed() if fault.outlives or not options.outliving]
    if not faults:
        return 0
    live = attach(options.work, record=record.path, roles_gone=options.down)
    within_s = min(options.within, bound_s(live, faults)) - (time.monotonic() - began)
    return 0 if undo(live, record, faults, within_s, _print) else 70


def _print(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
