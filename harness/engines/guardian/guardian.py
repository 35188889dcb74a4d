"""Outlives a SIGKILL of the harness, and undoes and cleans up after it.

`python -m tocsin.harness.engines.guardian.guardian WORK RUN_ID FOLDER [RECORD]`. The harness holds the other end of our stdin. A line
`done` means that it has cleaned up itself; the end of the stream without that line means that it died. RECORD is given
when the stack is somebody else's: then all that stands in it is healed, and neither processes nor folder are touched.
Standard library only, so that it watches within milliseconds of being asked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import tocsin
from tocsin.harness.engines.guardian.guard_record import GUARD, Record
from tocsin.harness.engines.guardian.takedown import take_down
from tocsin.harness.engines.kernel.run_processes import RUN_ID, remove_folder

WITHIN_S = 10.0
"""All of the cleaning takes no longer than this where the stack is processes; containers may add `ENGINE_S`."""
OUTLIVING_S = 4.5
"""So long may the undoing of what outlives the stack take, before the stack is taken down."""
AGAIN_S = 1.0
"""So long may a second attempt take, once the processes are gone."""
FOLDER_S = 1.0
"""So long may removing the work folder take."""
_LATE_S = 0.5
THEIRS_S = 60.0
"""The longest that healing a stack of somebody else may take; `undo` bounds itself by what its roles need."""
_PROJECT = Path(tocsin.__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was found and done. `broken` and `healed` name faults, `left` holds a sentence for each thing left."""

    broken: tuple[str, ...]
    healed: tuple[str, ...]
    killed: int
    left: tuple[str, ...]
    removed: bool
    took_s: float

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return not self.left


def main(work: Path, run_id: str, folder: Path, record: Path | None = None) -> int:
    """Wait for the harness to end; return 0, or 70 when something is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    if any(line.strip() == "done" for line in sys.stdin):
        return 0
    cleaned = clean(work, run_id=run_id, folder=folder) if record is None else heal(work, record)
    note(folder, cleaned)
    return 0 if cleaned.complete else 70


def clean(work: Path, *, run_id: str, folder: Path) -> Cleaned:
    """Undo what outlives the stack, take the stack down, remove the work folder, unless something is left.

    A folder that stays holds the records by which the next sweep tries again. `folder` is the run directory, which may
    be gone.
    """
    began = time.monotonic()
    record = Record(work / GUARD)
    broken = record.unhealed()
    outliving = any(fault.outlives for fault in broken)
    healed, left = _undo(work, record.path, OUTLIVING_S, "--outliving") if outliving else ([], [])
    down = take_down(work, run_id, WITHIN_S - OUTLIVING_S - AGAIN_S - 2 * _LATE_S - FOLDER_S)
    if left:
        more, left = _undo(work, record.path, AGAIN_S, "--outliving", "--down")
        healed += more
    left += down.left
    if not left and not remove_folder(work, FOLDER_S):
        left.append(f"Folder {work} cannot be removed.")
    return Cleaned(
        broken=tuple(fault.name for fault in broken),
        healed=tuple(healed),
        killed=down.killed,
        left=tuple(left),
        removed=not work.exists(),
        took_s=round(time.monotonic() - began, 3),
    )


def heal(work: Path, record: Path) -> Cleaned:
    """Heal every fault of a record on a stack that stays up; `work` is its owner's work folder."""
    began = time.monotonic()
    broken = Record(record).unhealed()
    healed, left = _undo(work, record, THEIRS_S) if broken else ([], [])
    return Cleaned(
        broken=tuple(fault.name for fault in broken),
        healed=tuple(healed),
        killed=0,
        left=tuple(left),
        removed=False,
        took_s=round(time.monotonic() - began, 3),
    )


def _undo(work: Path, record: Path, within_s: float, *options: str) -> tuple[list[str], list[str]]:
    """Let a process of its own heal; return names of faults healed, and a sentence for each that was not."""
    environment = {key: value for key, value in os.environ.items() if key != RUN_ID}
    argv = [sys.executable, "-m", "tocsin.harness.engines.guardian.undo", str(work), "--record", str(record), *options]
    why = ""
    try:
        done = subprocess.run(
            [*argv, "--within", str(within_s)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s + _LATE_S,  # it bounds itself, once it has started
            check=False,
            env={**environment, "PYTHONPATH": str(_PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        output, errors = done.stdout, done.stderr.decode(errors="replace").strip().splitlines()
        why = f"undo ended with status {done.returncode}: {errors[-1]}" if errors else ""
    except subprocess.TimeoutExpired as late:
        output, why = late.stdout or b"", f"undo took longer than {within_s:g} s"
    except OSError as error:
        output, why = b"", f"undo could not be started: {error}"
    said = [line for text in output.splitlines() if isinstance(line := _parsed(text), dict)]
    healed = [str(line["healed"]) for line in said if "healed" in line]
    reasons = {str(line["left"]): str(line.get("why", "")) for line in said if "left" in line}
    still = [f for f in Record(record).unhealed() if f.outlives or "--outliving" not in options]
    return healed, [f"Fault {f.name} is not healed: {reasons.get(f.name) or why or 'nobody says why'}." for f in still]


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def note(folder: Path, cleaned: Cleaned) -> None:
    """Write what was done into the journal of a run, if its directory is still there."""
    journal = folder / "journal.jsonl"
    fact = {"fact": "guardian_cleaned", "at": time.time(), "monotonic": time.monotonic(), **asdict(cleaned)}
    try:
        # A killed writer may have left half a line.
        torn = journal.exists() and not _ends_with_newline(journal)
        if folder.is_dir():
            with journal.open("a", encoding="utf-8") as file:
                file.write(("\n" if torn else "") + json.dumps(fact) + "\n")
    except OSError:
        return


def _ends_with_newline(path: Path) -> bool:
    content = path.read_bytes()
    return not content or content.endswith(b"\n")


if __name__ == "__main__":
    paths = [Path(text) for text in (sys.argv[1], *sys.argv[3:])]
    sys.exit(main(paths[0], sys.argv[2], *paths[1:]))
