"""What a run makes outside its processes and its work folder's own files: mounts and memory groups.

Written into `<work>/engine.json` before any of it is made, and taken away by whoever takes the run down. Standard
library only: the guardian imports this.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_UNMOUNT_S = 5.0
_AGAIN_S = 0.02


def write_down(
    work: Path, *, mounts: Sequence[Path] = (), groups: Sequence[Path] = (), written: Mapping[str, Any] | None = None
) -> None:
    """Write `<work>/engine.json`; `written` is what another engine than the local one adds. Safe on disk on return."""
    places = {"mounts": [str(place) for place in mounts], "groups": [str(place) for place in groups]}
    content = {"engine": "local", **places, **(written or {})}
    fresh = work / ".engine.json"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(work / "engine.json")


def take_away(work: Path, within_s: float = 3.0) -> list[str]:
    """Unmount and remove what engine.json names, after the run's processes are gone; return what is left.

    Mounts below the work folder that it does not name are unmounted too: nothing else may be removed in their place.
    """
    try:
        content = json.loads((work / "engine.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    deadline = time.monotonic() + within_s
    for place in sorted({*content.get("mounts", ()), *_mounted_below(work)}, reverse=True):
        _unmount(place)
    groups = [Path(place) for place in content.get("groups", ())]
    while remaining := [group for group in groups if not _removed(group)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_AGAIN_S)
    return [*_mounted_below(work), *(str(group) for group in remaining)]


def _mounted_below(work: Path) -> list[str]:
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    places = [line.split()[1].replace("\\040", " ") for line in lines]
    return [place for place in places if Path(place).is_relative_to(work.absolute())]


def _unmount(place: str) -> None:
    if not os.path.ismount(place):
        return
    for options in ([], ["-l"]):  # lazily, where a process still holds it
        done = subprocess.run(["umount", *options, place], capture_output=True, timeout=_UNMOUNT_S, check=False)
        if done.returncode == 0:
            return


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # a process of it is not quite gone
        return False
    return True
