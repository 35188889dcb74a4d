"""Cleans up after a harness that was killed: heals faults, takes the stack down, removes the work folder.

`python -m tocsin.harness.engines.guardian.guardian WORK RUN_ID FOLDER [RECORD]`. The harness holds the other end of our
stdin: a line `done` means that it has cleaned up itself, the end of the stream without it that it died. With RECORD the
stack belongs to another process: every fault in that file is healed, and no process or folder is touched.
Standard library only, so that it watches within milliseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tocsin
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord, append_json_line, json_objects
from tocsin.harness.engines.guardian.takedown import take_down
from tocsin.harness.engines.kernel.run_processes import RUN_ID, remove_folder

WITHIN_S = 10.0
"""Time budget for the whole cleanup of a stack of processes; containers may add `ENGINE_S`."""
OUTLIVING_S = 4.5
"""Time budget for rolling back host-level faults before the stack is taken down."""
AGAIN_S = 1.0
"""Time budget for a second try, after the processes have ended."""
FOLDER_S = 1.0
"""Time budget for removing the work folder."""
THEIRS_S = 60.0
"""Time budget for healing a stack that stays up; `undo` limits itself to what its roles need."""
_LATE_S = 0.5
_PROJECT = Path(tocsin.__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class CleanupResult:
    """What was done. `broken` and `healed` name faults, `left` holds a sentence for each thing that is left.

    `killed` counts processes; `removed` says whether the work folder is gone; `took_s` is wall seconds.
    """

    broken: tuple[str, ...]
    healed: tuple[str, ...]
    killed: int = 0
    left: tuple[str, ...]
    removed: bool = False
    took_s: float

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return not self.left


def main(work: Path, run_id: str, folder: Path, record: Path | None = None) -> int:
    """Wait for the harness to end and clean up if it died; return 0, or 70 when something is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    if any(line.strip() == "done" for line in sys.stdin):
        return 0
    result = clean_up(work, run_id=run_id) if record is None else heal_only(work, record)
    note_in_journal(folder, result)
    return 0 if result.complete else 70


def clean_up(work: Path, *, run_id: str) -> CleanupResult:
    """Roll back host-level faults, take the stack down and remove the work folder, unless something is left.

    A folder that is kept holds the records from which the next sweep tries again.
    """
    began = time.monotonic()
    record = GuardRecord(work / GUARD_FILE)
    broken = tuple(fault.name for fault in record.unhealed())
    healed, _ = _heal(work, record, OUTLIVING_S, "--outliving")
    killed, not_removed = take_down(work, run_id, WITHIN_S - OUTLIVING_S - AGAIN_S - 2 * _LATE_S - FOLDER_S)
    healed_later, left = _heal(work, record, AGAIN_S, "--outliving", "--down")
    left += not_removed
    if not left and not remove_folder(work, FOLDER_S):
        left.append(f"Folder {work} cannot be removed.")
    healed += healed_later
    took_s = round(time.monotonic() - began, 3)
    return CleanupResult(
        broken=broken, healed=tuple(healed), killed=killed, left=tuple(left), removed=not work.exists(), took_s=took_s
    )


def heal_only(work: Path, record_file: Path) -> CleanupResult:
    """Heal every fault of a record on a stack that stays up; `work` is the stack's work folder."""
    began = time.monotonic()
    record = GuardRecord(record_file)
    broken = tuple(fault.name for fault in record.unhealed())
    healed, left = _heal(work, record, THEIRS_S)
    took_s = round(time.monotonic() - began, 3)
    return CleanupResult(broken=broken, healed=tuple(healed), left=tuple(left), took_s=took_s)


def _heal(work: Path, record: GuardRecord, within_s: float, *options: str) -> tuple[list[str], list[str]]:
    """Heal in another process; return the names of healed faults, and a sentence for each that was not healed."""
    if not _unhealed(record, options):
        return [], []
    output, failure = _run_undo([str(work), "--record", str(record.path), *options], within_s)
    lines = json_objects(output.splitlines())
    healed = [str(line["healed"]) for line in lines if "healed" in line]
    reasons = {str(line["left"]): line.get("why") for line in lines if "left" in line}
    default = failure or "no reason is known"
    left = [f"Fault {name} is not healed: {reasons.get(name) or default}." for name in _unhealed(record, options)]
    return healed, left


def _unhealed(record: GuardRecord, options: Sequence[str]) -> list[str]:
    return [fault.name for fault in record.unhealed() if fault.outlives or "--outliving" not in options]


def _run_undo(arguments: list[str], within_s: float) -> tuple[bytes, str]:
    """Return what `undo` printed, and why it failed or an empty string."""
    argv = [sys.executable, "-m", "tocsin.harness.engines.guardian.undo", *arguments, "--within", str(within_s)]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s + _LATE_S,  # it bounds itself, once it has started
            check=False,
            env=python_environment(),
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as late:
        return late.stdout or b"", f"undo took longer than {within_s:g} s"
    except OSError as error:
        return b"", f"undo could not be started: {error}"
    errors = done.stderr.decode(errors="replace").strip().splitlines()
    if not errors:
        return done.stdout, ""
    return done.stdout, f"undo ended with status {done.returncode}: {errors[-1]}"


def python_environment() -> dict[str, str]:
    """Return the environment of our own Python processes: without the run id, or they would be killed with the run."""
    inherited = {key: value for key, value in os.environ.items() if key != RUN_ID}
    return {**inherited, "PYTHONPATH": str(_PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}


def note_in_journal(folder: Path, result: CleanupResult) -> None:
    """Write what was done into the journal of a run, if the run directory `folder` is still there."""
    fact = {"fact": "guardian_cleaned", "at": time.time(), "monotonic": time.monotonic(), **asdict(result)}
    try:
        if folder.is_dir():
            append_json_line(folder / "journal.jsonl", fact)
    except OSError:
        return


if __name__ == "__main__":
    paths = [Path(text) for text in (sys.argv[1], *sys.argv[3:])]
    sys.exit(main(paths[0], sys.argv[2], *paths[1:]))
