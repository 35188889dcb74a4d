"""Heals in the place of a dead harness: `python -m tocsin.harness.engines.guardian.undo WORK [--record FILE] [--outliving] [--down]`.

The stack is rebuilt from what its engine wrote down, and every fault of the record that was not healed is told to heal
itself, newest first. Says one JSON object a line: `{"healed": name}` or `{"left": name, "why": sentence}`.
`--outliving`: only faults that outlive the end of the stack's processes. `--down`: the processes are gone already.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import ends_of
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.guardian.guard_record import GUARD, Broken, Record
from tocsin.harness.faults import make

BEYOND_S = 5.0
"""What healing may take beyond the start time (`fixed_s`) of the slowest role that is concerned, in wall seconds."""
_NEXT_S = 0.5
Say = Callable[[dict[str, str]], None]


class DownStack:
    """A stack whose processes are gone for good: no role is alive, and none is started again."""

    def __init__(self, live: LiveStack) -> None:
        self._live = live

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def alive(self, role: str) -> bool:
        """Return False."""
        return False

    def restart(self, role: str, **how: object) -> None:
        """Do nothing."""

    def stop(self, role: str, *, kill: bool = False) -> None:
        """Do nothing."""


def undo(live: Any, record: Record, faults: Sequence[Broken], within_s: float, say: Say) -> bool:
    """Heal the faults, newest first; return whether all were. One that hangs or raises does not cost the others."""
    deadline = time.monotonic() + within_s
    complete = True
    for waiting, fault in reversed(list(enumerate(faults))):
        patience_s = deadline - time.monotonic() - waiting * _NEXT_S
        why = _heal(live, fault, max(patience_s, _NEXT_S))
        if why:
            complete = False
            say({"left": fault.name, "why": why})
        else:
            record.healed(fault.name, at=time.time())
            say({"healed": fault.name})
    return complete


def _heal(live: Any, broken: Broken, within_s: float) -> str:
    """Heal one fault; return why it could not be, or nothing."""
    reasons: list[str] = []

    def heal() -> None:
        try:
            make(broken.kind, broken.params).heal(live)
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")

    healing = threading.Thread(target=heal, daemon=True)
    healing.start()
    healing.join(within_s)
    return f"its heal took longer than {within_s:.1f} s" if healing.is_alive() else "".join(reasons)


def bound_s(live: LiveStack, faults: Sequence[Broken]) -> float:
    """Return how long healing may take: the longest `fixed_s` of the roles that the faults name, and 5 s."""
    return BEYOND_S + max((_fixed_s(live, fault) for fault in faults), default=0.0)


def _fixed_s(live: LiveStack, broken: Broken) -> float:
    try:
        needs = make(broken.kind, broken.params).needs()
    except (KeyError, ValueError):  # said by its heal
        return 0.0
    roles = {name for need in needs for name in _roles(live, need)}
    return max((live.stack.roles[role].fixed_s for role in roles if role in live.stack.roles), default=0.0)


def _roles(live: LiveStack, need: str) -> tuple[str, ...]:
    what, _, name = need.partition(":")
    if what == "hook" and name in live.stack.hooks:
        return (live.stack.hooks[name].role,)
    return ends_of(name) if what == "edge" else (name,)


def main(argv: Sequence[str]) -> int:
    """Heal; return 0, or 70 when something is left."""
    parser = argparse.ArgumentParser(prog="undo")
    parser.add_argument("work", type=Path)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--outliving", action="store_true")
    parser.add_argument("--down", action="store_true")
    parser.add_argument("--within", type=float, default=60.0)
    chosen = parser.parse_args(argv)
    began = time.monotonic()
    record = Record(chosen.record or chosen.work / GUARD)
    faults = [fault for fault in record.unhealed() if fault.outlives or not chosen.outliving]
    if not faults:
        return 0
    live = attach(chosen.work, record=record.path)
    within_s = min(chosen.within, bound_s(live, faults)) - (time.monotonic() - began)
    return 0 if undo(DownStack(live) if chosen.down else live, record, faults, within_s, _say) else 70


def _say(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
