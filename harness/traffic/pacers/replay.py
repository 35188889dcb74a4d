"""The arrivals of a recording, at the rate at which they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.offered_load import Asked, steps_of
from tocsin.harness.evidence.requests import KINDS, RECORD
from tocsin.harness.traffic.pacers.pacer import Pacer, Problem, Setting

_BINS = 2000
"""A recording is described by its counts per second, or by so many longer bins."""
_THINNING = 2
"""Marks the random stream that decides who is kept."""


class Replay(Frozen):
    """`file`: one offset in seconds per line, or a requests/*.npy of a run; sought beside the scenario, then the stack.

    Offsets count from the first one and are production seconds.
    """

    file: str


def find(file: str, folders: Iterable[Path]) -> Path:
    """Return where the recording lies; StackError if it is in none of the folders."""
    tried = [folder / file for folder in folders]
    for path in tried:
        if path.is_file():
            return path
    raise StackError(f"there is no recording {file} in {', '.join(str(path.parent) for path in tried) or 'any folder'}")


@lru_cache(maxsize=4)
def read(path: Path) -> np.ndarray:
    """Return the offsets of a recording in seconds, from 0 on, ascending; StackError if it is not one."""
    try:
        offsets = _from_records(path) if path.suffix == ".npy" else np.loadtxt(path, dtype=np.float64, ndmin=1)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StackError(f"{path} is not a recording, one offset in seconds per line: {reason}") from None
    if offsets.ndim != 1 or not len(offsets) or not np.isfinite(offsets).all():
        raise StackError(f"{path} is not a recording: expected finite offsets in seconds, one per line, at least one")
    offsets = np.sort(offsets)
    offsets -= offsets[0]
    offsets.setflags(write=False)
    return offsets


def _from_records(path: Path) -> np.ndarray:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.dtype != RECORD:
        return np.array(rows, dtype=np.float64)
    load = (rows["worker"] > 0) & (rows["kind"] != (KINDS.index("feedback") if "feedback" in KINDS else 255))
    return np.array(rows["intended"][load], dtype=np.float64)


def kept(path: Path, speed: float, seed: int) -> np.ndarray:
    """Return the offsets (production seconds) that are sent at this speed: each stays with probability 1 / speed.

    Independent thinning keeps a Poisson process one (Lewis and Shedler, Naval Research Logistics Quarterly 26, 1979),
    so that dividing the times by the speed leaves rate and spacing as they were recorded.
    """
    offsets = read(path)
    if speed == 1:
        return offsets
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_THINNING,)))
    stays: np.ndarray = offsets[rng.random(len(offsets)) * speed < 1]
    return stays


def _curve(args: Replay, setting: Setting) -> Asked:
    offsets = kept(find(args.file, setting.folders), setting.speed, setting.seed)
    bins = int(np.clip(setting.length_s / setting.speed, 1, _BINS))
    counts, bounds = np.histogram(offsets[offsets < setting.length_s], bins=bins, range=(0.0, setting.length_s))
    times, rates = steps_of(bounds.tolist(), (counts * setting.speed / np.diff(bounds)).tolist())
    return Asked(t_s=times, rate_per_s=rates, gaps="recorded")


def _words(args: Replay, setting: Setting) -> str:
    offsets = read(find(args.file, setting.folders))
    thinned = f", thinned to 1 in {setting.speed:g}" if setting.speed != 1 else ""
    return f"replay of {len(offsets)} arrivals of {args.file}, {_long(offsets)} long{thinned}"


def _warns(args: Replay, setting: Setting) -> Iterator[str]:
    path = find(args.file, setting.folders)
    offsets, left = read(path), len(kept(path, setting.speed, setting.seed))
    if setting.speed != 1:
        yield (
            f"The recording {args.file} keeps its rate: at speed {setting.speed:g} it is thinned, "
            f"{left} of its {len(offsets)} arrivals are sent."
        )
    if offsets[-1] < 0.99 * setting.length_s:
        room = format_duration(setting.length_s)
        yield f"The recording {args.file} ends after {_long(offsets)} of {room}; nothing is sent then."


def _long(offsets: np.ndarray) -> str:
    return format_duration(float(np.ceil(offsets[-1])))


def _problems(args: Replay, setting: Setting) -> Iterator[Problem]:
    try:
        read(find(args.file, setting.folders))
    except StackError as error:
        yield "file", args.file, f"a recording: {error}"


REPLAY = Pacer(
    name="replay",
    summary="the arrivals of a recording",
    args=Replay,
    curve=_curve,
    words=_words,
    problems=_problems,
    warns=_warns,
)
