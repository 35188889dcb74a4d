"""Segments: the files below `metrics/`. One file holds what one pull brought: raw samples of every series.

A segment is an uncompressed npz: `t` (epoch seconds) and `v` of all series one after the other, `offsets` (series i
is `t[offsets[i]:offsets[i + 1]]`), `labels` (zlib: one JSON object a line, keys sorted, line i for series i).
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Segment:
    """The samples of one pull, as laid out in its file; `labels` still packed."""

    labels: bytes
    offsets: np.ndarray
    t: np.ndarray
    v: np.ndarray

    @property
    def lines(self) -> list[bytes]:
        """One JSON object per series."""
        return zlib.decompress(self.labels).splitlines()


def write_segment(path: Path, series: Sequence[tuple[Mapping[str, str], np.ndarray]]) -> int:
    """Write pairs (labels with `__name__`, samples as rows of time and value); return how many samples.

    The file appears whole or not at all.
    """
    named = [(json.dumps(dict(labels), sort_keys=True), rows) for labels, rows in series]
    named.sort(key=lambda pair: pair[0])
    samples = np.concatenate([np.empty((0, 2)), *(rows for _, rows in named)])
    lines = "\n".join(line for line, _ in named).encode()
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(
            file,
            t=samples[:, 0],
            v=samples[:, 1],
            offsets=np.cumsum([0, *(len(rows) for _, rows in named)]).astype(np.int64),
            labels=np.frombuffer(zlib.compress(lines, level=1), dtype=np.uint8),
        )
    os.replace(partial, path)
    return len(samples)


def read_segments(folder: Path) -> list[Segment]:
    """Return all segments in the order written; a torn or foreign file is left out, a missing folder holds none."""
    segments = []
    for path in sorted(folder.glob("*.npz")):
        with contextlib.suppress(BadZipFile, EOFError, KeyError, OSError, ValueError), np.load(path) as file:
            labels = file["labels"].tobytes()
            segments.append(Segment(labels=labels, offsets=file["offsets"], t=file["t"], v=file["v"]))
    return segments
