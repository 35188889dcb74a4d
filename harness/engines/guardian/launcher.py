"""The harness's side of the guardian: starts it before anything else, and dismisses it at the end."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.guardian.guardian import WITHIN_S, python_environment
from tocsin.harness.engines.guardian.takedown import ENGINE_S

_START_S = 10.0


@dataclass(kw_only=True)
class Guardian:
    """The guardian process of this harness. `needed`: it must clean up if we end now."""

    process: subprocess.Popen[bytes]
    needed: bool = False

    @classmethod
    def start(cls, run_id: str, *, work: Path, folder: Path, record: Path | None = None) -> Guardian:
        """Start the guardian of a run and wait until it watches; StackError if it does not.

        It will remove `work`, which need not exist yet; `folder` is the run directory. With `record` the stack in
        `work` belongs to another process: the guardian heals the faults of that file and touches nothing else.
        """
        arguments = [str(work), run_id, str(folder)]
        if record is not None:
            arguments.append(str(record))
        with (folder / "stack-logs" / "guardian.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.harness.engines.guardian.guardian", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=python_environment(),
                start_new_session=True,
            )
        guardian = cls(process=process)
        if not guardian._watches():
            process.kill()
            guardian._wait()
            raise StackError(f"The guardian did not start; see {log.name}.", hint="Check that this Python works.")
        return guardian

    def _watches(self) -> bool:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], _START_S)
        return bool(readable) and self.process.stdout.readline().strip() == b"watching"

    def dismiss(self) -> None:
        """End the guardian, after it has cleaned up for us if that is needed. May be called again."""
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # it has ended
            if not self.needed and not stdin.closed:
                stdin.write(b"done\n")
                stdin.flush()
        self._wait()

    def _wait(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()
        try:
            self.process.wait(WITHIN_S + ENGINE_S + 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
