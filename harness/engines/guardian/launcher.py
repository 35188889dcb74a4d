"""The harness's side of the guardian: starts it before there is anything to clean up, and lets it go at the end."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.child_processes import PROJECT
from tocsin.harness.engines.guardian.guardian import WITHIN_S
from tocsin.harness.engines.guardian.takedown import ENGINE_S
from tocsin.harness.engines.kernel.run_processes import RUN_ID

_START_S = 10.0


@dataclass(kw_only=True)
class Guard:
    """A guardian that watches this process. `needed`: it has to clean up should we end now."""

    process: subprocess.Popen[bytes]
    needed: bool = False

    @classmethod
    def start(cls, run_id: str, *, work: Path, folder: Path, record: Path | None = None) -> Guard:
        """Start the guardian of a run and wait until it watches; StackError if it does not.

        `work` is what it will remove, and need not exist yet; `folder` is the run directory. With `record` the stack
        whose work folder that is belongs to somebody else: the guardian heals what stands unhealed in the record, and
        touches neither processes nor folder.
        """
        # Without the run id, or it would be among those to be killed.
        environment = {key: value for key, value in os.environ.items() if key != RUN_ID}
        arguments = [str(work), run_id, str(folder), *([str(record)] if record else [])]
        with (folder / "stack-logs" / "guardian.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.harness.engines.guardian.guardian", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
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
            self.process.wait(WITHIN_S + ENGINE_S + 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
