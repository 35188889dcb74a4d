"""The arrivals of a recording, at the rate at which they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.load_profile import OfferedLoad, steps_of
from tocsin.harness.evidence.requests import KINDS, RECORD
from tocsin.harness.traffic.pacers.pacer import PacerArgs, Problem, Setting

_BINS = 2000
"""A recording is described by its counts per second, or by so many longer bins."""
_THINNING = 2
"""Marks the random stream that decides which arrivals are kept."""


class Replay(PacerArgs):
    """`file`: one offset in seconds per line, or a requests/*.npy of a run; sought beside the scenario, then the stack.

    Offsets count from the first one and are production seconds.
    """

    summary: ClassVar[str] = "the arrivals of a recording"
    file: str

    def curve(self, setting: Setting) -> OfferedLoad:
        """Return the recorded rate as a staircase: one step per wall second, at most _BINS."""
        offsets = kept(find(self.file, setting.folders), setting.speed, setting.seed)
        bins = int(np.clip(setting.length_s / setting.speed, 1, _BINS))
        counts, bounds = np.histogram(offsets[offsets < setting.length_s], bins=bins, range=(0.0, setting.length_s))
        times, rates = steps_of(bounds.tolist(), (counts * setting.speed / np.diff(bounds)).tolist())
        return OfferedLoad(t_s=times, rate_per_s=rates, gaps="recorded")

    def words(self, setting: Setting) -> str:
        """Return the number of arrivals and the length of the recording in words."""
        offsets = read(find(self.file, setting.folders))
        recording = f"replay of {len(offsets)} arrivals of {self.file}, {_long(offsets)} long"
        if setting.speed == 1:
            return recording
        return f"{recording}, thinned to 1 in {setting.speed:g}"

    def warns(self, setting: Setting) -> Iterator[str]:
        """Yield that a recording is thinned, or that it ends too early."""
        path = find(self.file, setting.folders)
        offsets, left = read(path), len(kept(path, setting.speed, setting.seed))
        if setting.speed != 1:
            yield (
                f"The recording {self.file} keeps its rate: at speed {setting.speed:g} it is thinned, "
                f"{left} of its {len(offsets)} arrivals are sent."
            )
        if offsets[-1] < 0.99 * setting.length_s:
            room = format_duration(setting.length_s)
            yield f"The recording {self.file} ends after {_long(offsets)} of {room}; nothing is sent then."

    def problems(self, setting: Setting) -> Iterator[Problem]:
        """Yield a file that is not there or is no recording."""
        try:
            read(find(self.file, setting.folders))
        except StackError as error:
            yield "file", self.file, f"a recording: {error}"


def find(file: str, folders: Iterable[Path]) -> Path:
    """Return where the recording lies; StackError if it is in none of the folders."""
    tried = [folder / file for folder in folders]
    for path in tried:
        if path.is_file():
            return path
    places = ", ".join(str(path.parent) for path in tried) or "any folder"
    raise StackError(f"there is no recording {file} in {places}")


@lru_cache(maxsize=4)
def read(path: Path) -> np.ndarray:
    """Return the offsets of a recording in seconds, from 0 on, ascending; StackError if it is not one."""
    try:
        offsets = _from_file(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StackError(f"{path} is not a recording, one offset in seconds per line: {reason}") from None
    if offsets.ndim != 1 or not len(offsets) or not np.isfinite(offsets).all():
        raise StackError(f"{path} is not a recording: expected finite offsets in seconds, one per line, at least one")
    offsets = np.sort(offsets)
    offsets -= offsets[0]
    offsets.setflags(write=False)
    return offsets


def _from_file(path: Path) -> np.ndarray:
    if path.suffix != ".npy":
        return np.loadtxt(path, dtype=np.float64, ndmin=1)
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.dtype != RECORD:
        return np.array(rows, dtype=np.float64)
    load = (rows["worker"] > 0) & (rows["kind"] != KINDS.index("feedback"))
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


def _long(offsets: np.ndarray) -> str:
    return format_duration(float(np.ceil(offsets[-1])))
