"""Many drills, two at a time, whose results are kept: what was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tests.e2e.drills import ROOT

KEPT = ROOT / "build" / "soak"
AT_ONCE = 2
"""Drills that play side by side: each needs about one processor."""
_DECIDES = ("harness", "assertions", "scenarios", "stacks", "tests/e2e")


def fingerprint(root: Path = ROOT) -> str:
    """Return a digest of everything that decides a drill's answer; results under another one are not believed."""
    digest = hashlib.sha256()
    for path in sorted(path for name in _DECIDES for path in (root / name).rglob("*") if path.is_file()):
        if not {"__pycache__", ".venv"} & set(path.parts):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def play_series(
    name: str,
    jobs: Sequence[str],
    play: Callable[[str], Mapping[str, Any]],
    *,
    kept: Path = KEPT,
    at_once: int = AT_ONCE,
) -> dict[str, dict[str, Any]]:
    """Play every job that has no result yet and return all results by job; each is written down at once.

    A bad result is kept as well: only a change of what decides the answer, or removing the file, plays it again.
    """
    place, now = kept / f"{name}.json", fingerprint()
    known = _read(place, now)
    results = {job: known[job] for job in jobs if job in known}
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        running = {pool.submit(play, job): job for job in jobs if job not in results}
        for done in as_completed(running):
            results[running[done]] = dict(done.result())
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps({"fingerprint": now, "results": results}, indent=1), encoding="utf-8")
    return results


def _read(place: Path, now: str) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(content["results"]) if content.get("fingerprint") == now else {}
