"""How a drill ended: the first reason that stopped it, in words, and the exit code which that alone would mean."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.errors import (
    BROKEN,
    INTERRUPTED,
    PASS,
    TERMINATED,
    UNKNOWN,
    HealError,
    StackError,
    Terminated,
    TocsinError,
)
from tocsin.harness.core.journal import Journal
from tocsin.harness.runner.abort import Aborted


@dataclass
class Ending:
    """`completed` with 0 until something worse is told."""

    outcome: str = "completed"
    exit_code: int = PASS
    hurry: bool = False

    def worsen(self, outcome: str, exit_code: int, *, hurry: bool = True) -> None:
        """Keep the first reason why a drill ended early; a fault left unhealed outweighs it.

        `hurry`: somebody waits for the end, so that signals get less time to catch up.
        """
        self.hurry = self.hurry or hurry
        if self.outcome == "completed" or exit_code == BROKEN:
            self.outcome, self.exit_code = outcome, exit_code

    def name(self, error: BaseException, run: Any, journal: Journal) -> None:
        """Turn what ended a drill into an outcome and the exit code it means; a bug of ours leaves its traceback."""
        if isinstance(error, KeyboardInterrupt):
            signal, code = ("SIGTERM", TERMINATED) if isinstance(error, Terminated) else ("SIGINT", INTERRUPTED)
            journal.note("interrupted", signal=signal)
            self.worsen(f"interrupted by {signal}", code)
            return
        journal.note(
            "error", message=str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}: {error}"
        )
        if isinstance(error, HealError):
            self.worsen(str(error), BROKEN)
        elif isinstance(error, Aborted):
            self.worsen(str(error), error.exit_code, hurry=False)
        elif isinstance(error, (StackError, TocsinError)):
            self.worsen(str(error), error.exit_code)
        elif isinstance(error, OSError):
            self.worsen(f"{type(error).__name__}: {error}", UNKNOWN)
        else:
            (run.folder / "traceback.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            self.worsen(f"Tocsin itself failed: {type(error).__name__}: {error}", BROKEN)
