"""The guard's record: what is about to be broken, written before it is, and what was healed. Standard library only."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GUARD = "guard.jsonl"
"""The record's name in the work folder of a run."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A fault written down. `name` is the plan's, `kind` and `params` make it again; `outlives`: the stack's end."""

    name: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    outlives: bool = False


class Record:
    """A file of facts, a JSON object a line: `{"fault", "kind", "params", "outlives", "at"}`, `{"healed", "at"}`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def broken(self, fault: str, *, kind: str, params: Mapping[str, Any], outlives: bool, at: float) -> None:
        """Write down what is about to be broken; safe on disk on return."""
        self._write({"fault": fault, "kind": kind, "params": dict(params), "outlives": outlives, "at": at})

    def healed(self, fault: str, *, at: float) -> None:
        """Write down that a fault was healed; safe on disk on return."""
        self._write({"healed": fault, "at": at})

    def unhealed(self) -> tuple[Broken, ...]:
        """Return what was broken and not healed since, oldest first, each name once; lines torn by a death are skipped.

        A fault that was begun again after its heal counts. No record, or one that cannot be read: nothing.
        """
        left: dict[str, Broken] = {}
        for line in self._lines():
            if isinstance(healed := line.get("healed"), str):
                left.pop(healed, None)
            elif isinstance(name := line.get("fault"), str):
                params = line.get("params")
                left.pop(name, None)  # so that the newest stands last
                left[name] = Broken(
                    name=name,
                    kind=str(line.get("kind") or ""),
                    params=params if isinstance(params, dict) else {},
                    outlives=bool(line.get("outlives")),
                )
        return tuple(left.values())

    def _lines(self) -> list[dict[str, Any]]:
        try:
            raw = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [line for text in raw if isinstance(line := _parsed(text), dict)]

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, default=str) + "\n"
        with self._lock, self.path.open("ab") as file:
            if file.tell() and not self._whole():
                text = "\n" + text  # a writer that was killed may have left half a line
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def _whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
