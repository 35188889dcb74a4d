"""How a drill ended: the first reason that stopped it, in words, and the exit code which that alone would mean."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from tocsin.harness.core.errors import BROKEN, INTERRUPTED, PASS, TERMINATED, UNKNOWN, Terminated, TocsinError
from tocsin.harness.core.journal import Journal
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.runner.abort_conditions import Aborted


@dataclass
class Ending:
    """How a drill ended: `completed` with 0 until something ends it early.

    `hurry`: somebody waits for the end, so that signals get less time to catch up.
    """

    outcome: str = "completed"
    exit_code: int = PASS
    hurry: bool = False

    def end_early(self, error: BaseException, run: Run, journal: Journal) -> None:
        """Note what ended the drill, as outcome and exit code; a bug of ours leaves its traceback."""
        if isinstance(error, KeyboardInterrupt):
            signal, exit_code = "SIGINT", INTERRUPTED
            if isinstance(error, Terminated):
                signal, exit_code = "SIGTERM", TERMINATED
            journal.note("interrupted", signal=signal)
            self._keep(f"interrupted by {signal}", exit_code)
        elif isinstance(error, TocsinError):
            journal.note("error", message=str(error))
            self._keep(str(error), error.exit_code, hurry=not isinstance(error, Aborted))
        else:
            self._crash(error, run, journal)

    def _crash(self, error: BaseException, run: Run, journal: Journal) -> None:
        message = f"{type(error).__name__}: {error}"
        journal.note("error", message=message)
        if isinstance(error, OSError):
            self._keep(message, UNKNOWN)
            return
        (run.folder / "traceback.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        self._keep(f"Tocsin itself failed: {message}", BROKEN)

    def _keep(self, outcome: str, exit_code: int, *, hurry: bool = True) -> None:
        """Keep the first reason; a fault left unhealed, or a bug, outweighs it."""
        self.hurry = self.hurry or hurry
        if self.outcome == "completed" or exit_code == BROKEN:
            self.outcome, self.exit_code = outcome, exit_code
