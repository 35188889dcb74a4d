"""The journal: append-only facts of a run, one JSON object a line, each with wall and monotonic time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.harness.core.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that happened. `at` is epoch seconds of the run's clock."""

    fact: str
    at: float
    monotonic: float
    more: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """Writes facts to `journal.jsonl`, flushed one by one, so that a crash loses none. Safe between threads."""

    def __init__(self, path: Path, clock: Clock, watch: Callable[[Fact], None] | None = None) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._clock = clock
        self._watch = watch
        self._lock = threading.Lock()

    def note(self, fact: str, **more: object) -> Fact:
        """Append a fact and return it."""
        with self._lock:
            noted = Fact(fact=fact, at=self._clock.now(), monotonic=time.monotonic(), more=more)
            if not self._file.closed:
                line = {"fact": noted.fact, "at": noted.at, "monotonic": noted.monotonic, **more}
                self._file.write(json.dumps(line, default=str) + "\n")
                self._file.flush()
        if self._watch:
            self._watch(noted)
        return noted

    def close(self) -> None:
        """Close the file; later facts are only watched."""
        with self._lock:
            self._file.close()


def read_journal(path: Path) -> tuple[Fact, ...]:
    """Read the facts back; a torn last line (a crash) is left out."""
    rows = read_json_lines(path)
    return tuple(Fact(fact=row.pop("fact"), at=row.pop("at"), monotonic=row.pop("monotonic"), more=row) for row in rows)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file, one a line. Other lines (torn by a crash) are left out; no file: nothing."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
