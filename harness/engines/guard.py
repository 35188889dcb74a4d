"""The harness's side of the guardian: starts it before anything else, and tells it at the end that all is done."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass

from harness.engines.children import PROJECT
from harness.engines.guardian import NOTE, WITHIN_S
from harness.engines.processes import RUN_ID
from harness.engines.run import Run
from harness.errors import StackError

_START_S = 10.0


@dataclass(kw_only=True)
class Guard:
    """A guardian that watches this process. `needed`: it has to clean up should we end now."""

    process: subprocess.Popen[bytes]
    needed: bool = False

    @classmethod
    def start(cls, run: Run) -> Guard:
        """Start the guardian of a run and wait until it watches; StackError if it does not."""
        (run.work / NOTE).write_text(json.dumps({"run_id": run.id, "folder": str(run.folder)}), encoding="utf-8")
        # Without the run id, or it would be among those to be killed.
        environment = {key: value for key, value in os.environ.items() if key != RUN_ID}
        with (run.folder / "stack-logs" / "guardian.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.engines.guardian", str(run.work)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
                pass_fds=(run.lock.fileno(),),  # it shares our lock from its first moment on
            )
        guard = cls(process=process)
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], _START_S)
        if not readable or process.stdout.readline().strip() != b"watching":
            process.kill()
            guard._collect()
            raise StackError(f"The guardian did not start; see {log.name}.", hint="Check that this Python works.")
        return guard

    def dismiss(self) -> None:
        """Let the guardian go, after it has cleaned up in our place if that is needed. May be called again."""
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # it is gone
            if not self.needed and not stdin.closed:
                stdin.write(b"done\n")
                stdin.flush()
        self._collect()

    def _collect(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()
        try:
            self.process.wait(WITHIN_S + 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
