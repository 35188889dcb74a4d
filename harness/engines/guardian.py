"""Outlives a SIGKILL of the harness and cleans up after it: `python -m harness.engines.guardian WORK RUN_ID FOLDER`.

The harness holds the other end of our stdin. A line `done` means that it has cleaned up itself; the end of the
stream without that line means that it died: then every process of the run is killed and the work folder removed.
Standard library only, so that it runs within milliseconds of being asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from harness.engines.processes import kill_carriers, remove_folder

WITHIN_S = 10.0
"""All of the cleaning takes no longer than this."""


def main(work: Path, run_id: str, folder: Path) -> int:
    """Wait for the harness to end; return 0, or 70 when something could not be removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    if any(line.strip() == "done" for line in sys.stdin):
        return 0
    return clean(work, run_id=run_id, folder=folder)


def clean(work: Path, *, run_id: str, folder: Path) -> int:
    """Kill what carries the run id, remove the work folder, and say so in the run's journal."""
    began = time.monotonic()
    broken = _recorded(work / "guard.jsonl")
    killed, left = kill_carriers(run_id, WITHIN_S * 0.6)
    removed = remove_folder(work, WITHIN_S * 0.2)
    fact = {
        "fact": "guardian_cleaned",
        "at": time.time(),
        "monotonic": time.monotonic(),
        "killed": killed,
        "left": left,
        "removed": removed,
        "broken": broken,
        "took_s": round(time.monotonic() - began, 3),
    }
    if folder.is_dir():
        with (folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            # A killed writer may have left half a line.
            journal.write(("" if _ends_with_newline(folder / "journal.jsonl") else "\n") + json.dumps(fact) + "\n")
    return 0 if removed and not left else 70


def _recorded(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    names = []
    for line in lines:
        try:
            names.append(str(json.loads(line)["fault"]))
        except (ValueError, KeyError):  # torn by the death of its writer
            continue
    return names


def _ends_with_newline(path: Path) -> bool:
    content = path.read_bytes()
    return not content or content.endswith(b"\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
