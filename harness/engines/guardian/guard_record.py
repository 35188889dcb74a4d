"""The guard's record: each fault is written down before its injection and after its heal. Standard library only."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GUARD_FILE = "guard.jsonl"
"""The record's name in the work folder of a run."""


@dataclass(frozen=True, kw_only=True)
class RecordedFault:
    """A fault of the record. `name` is the plan's, `kind` and `params` make it again.

    `outlives`: its effect stays when the stack's processes end.
    """

    name: str
    kind: str
    params: Mapping[str, object] = field(default_factory=dict)
    outlives: bool = False


class GuardRecord:
    """A file with a JSON object a line: `{"fault", "kind", "params", "outlives", "at"}` or `{"healed", "at"}`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write_injection(
        self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool, at: float
    ) -> None:
        """Write down a fault that is about to be injected; it is safe on disk on return."""
        self._write({"fault": fault, "kind": kind, "params": dict(params), "outlives": outlives, "at": at})

    def write_heal(self, fault: str, *, at: float) -> None:
        """Write down that a fault was healed; it is safe on disk on return."""
        self._write({"healed": fault, "at": at})

    def unhealed(self) -> tuple[RecordedFault, ...]:
        """Return the faults that were not healed since their last injection, oldest first, each name once.

        Empty when there is no record or it cannot be read. Torn lines are skipped.
        """
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ()
        faults: dict[str, RecordedFault] = {}
        for line in json_objects(lines):
            name = line.get("healed", line.get("fault"))
            if not isinstance(name, str):
                continue
            faults.pop(name, None)  # so that the newest stands last
            if "healed" not in line:
                faults[name] = _recorded_fault(name, line)
        return tuple(faults.values())

    def _write(self, line: Mapping[str, object]) -> None:
        with self._lock:
            append_json_line(self.path, line)


def _recorded_fault(name: str, line: Mapping[str, object]) -> RecordedFault:
    params = line.get("params")
    if not isinstance(params, dict):
        params = {}
    kind, outlives = str(line.get("kind") or ""), bool(line.get("outlives"))
    return RecordedFault(name=name, kind=kind, params=params, outlives=outlives)


def json_objects(lines: Iterable[str | bytes]) -> list[dict[str, object]]:
    """Return the lines that are JSON objects; others are skipped, such as one torn by the death of its writer."""
    objects = []
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            objects.append(content)
    return objects


def append_json_line(path: Path, content: Mapping[str, object]) -> None:
    """Append an object as a new line, also after half a line of a killed writer; safe on disk on return."""
    line = json.dumps(content, default=str).encode() + b"\n"
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
