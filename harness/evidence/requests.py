"""The record of every request: one fixed-width row each, one `.npy` file per sender, readable after a crash."""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tocsin.harness.core.errors import EvidenceError

RECORD = np.dtype(
    [
        ("id", "S40"),
        ("kind", "u1"),
        ("outcome", "u1"),
        ("status", "u2"),
        ("worker", "u2"),
        ("intended", "f8"),
        ("sent", "f8"),
        ("first_byte", "f8"),
        ("done", "f8"),
    ]
)
"""A request. `id` is `<run_id>-<worker>-<seq>`; `kind` and `outcome` are places in KINDS and OUTCOMES; `status` is 0
without an answer; worker 0 is the canary process. Times are epoch seconds, nan where it did not happen: `intended` when
it was due, `sent` when a client began with it (connecting included), `first_byte` of the answer, `done` when the answer
was complete or the client gave up."""

OUTCOMES = ("answered", "failed", "unknown", "dropped")
"""answered: a complete answer of any status; failed: certainly not served (no connection); unknown: it may have been
served (timeout, reset, cut off); dropped: never sent, because the sender could not or was stopped."""

ANSWERED, FAILED, UNKNOWN, DROPPED = range(len(OUTCOMES))

KINDS = (
    "normal", "canary", "shifted", "broken_json", "wrong_shape", "nan", "oversize", "infinity", "wrong_type",
    "wrong_dtype", "missing_field", "extra_field", "empty_body", "deep_nesting", "truncated", "wrong_content_type",
    "bad_encoding", "slow_body", "abort", "wrong_method", "wrong_path", "unknown_model", "unknown_version", "missing",
    "feedback", "user", "user_more",
)  # fmt: skip
"""Payload kinds. Later ones are appended, so that old runs stay readable. Witness probes are canaries."""

_KINDS_FILE = "kinds.json"

_pack_into = struct.Struct("<40sBBHHdddd").pack_into
"""RECORD's layout."""
_ROW_BYTES = RECORD.itemsize
_BLOCK_BYTES = 4096 * _ROW_BYTES


class RequestBuffer:
    """Packs rows into one block of memory and hands them on at each flush; holds no Python object per request.

    `append` and `flush` are safe between threads, `pack` is not. `listeners` are called with the rows of each flush.
    A subclass says where rows go: `_write` must neither block for long nor wait for another greenlet.
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[[np.ndarray], None]] = []
        self._block = bytearray(_BLOCK_BYTES)
        self._used = 0
        self._lock = threading.RLock()

    def pack(
        self,
        id: bytes,
        kind: int,
        outcome: int,
        status: int,
        worker: int,
        intended: float,
        sent: float,
        first_byte: float,
        done: float,
    ) -> None:
        """Keep one request; fields as in RECORD. For a process in which one thread alone keeps and flushes: no lock."""
        used = self._used
        _pack_into(self._block, used, id, kind, outcome, status, worker, intended, sent, first_byte, done)
        self._used = used + _ROW_BYTES
        if self._used == _BLOCK_BYTES:
            self._hand_on()

    def append(self, rows: np.ndarray) -> None:
        """Keep requests, an array of RECORD, and hand them on at once."""
        with self._lock:
            self._hand_on()
            self._give(rows)

    def flush(self) -> None:
        """Hand on the rows in memory, so that a reader finds them, also after a crash."""
        with self._lock:
            self._hand_on()

    def close(self) -> None:
        """Flush and close; later rows are dropped without an error."""
        with self._lock:
            self._hand_on()
            self._close()

    def _hand_on(self) -> None:
        if self._used:
            rows = np.frombuffer(bytes(memoryview(self._block)[: self._used]), RECORD)
            self._used = 0
            self._give(rows)

    def _give(self, rows: np.ndarray) -> None:
        self._write(rows)
        for listen in self.listeners:
            listen(rows)

    def _write(self, rows: np.ndarray) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        pass


class RequestWriter(RequestBuffer):
    """Appends rows to one `.npy` file and patches its header after each flush.

    Rows wait in memory until `flush`, 4 096 at most; call it at least each 0.5 s. A killed process loses no row that
    was flushed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_kinds(path.parent / _KINDS_FILE)
        self._file = path.open("w+b", buffering=0)
        self._count = 0
        self._header_bytes = self._patch()

    def _write(self, rows: np.ndarray) -> None:
        if self._file.closed:
            return
        self._file.seek(self._header_bytes + self._count * RECORD.itemsize)
        _write_all(self._file.fileno(), rows.tobytes())
        self._count += len(rows)
        self._patch()

    def _close(self) -> None:
        self._file.close()

    def _patch(self) -> int:
        """Write the header for the present count; return its length, which NumPy keeps constant as rows are added."""
        self._file.seek(0)
        header = {"descr": npy.dtype_to_descr(RECORD), "fortran_order": False, "shape": (self._count,)}
        npy.write_array_header_1_0(self._file, header)
        return self._file.tell()


def read_requests(folder: Path) -> np.ndarray:
    """Return every request of a run as rows of RECORD, sorted by `intended`. No folder or no rows: an empty array.

    A torn tail is left out. EvidenceError if a file is not one of ours or was written by a later version.
    """
    _check_kinds(folder / _KINDS_FILE)
    parts = [read_file(path) for path in sorted(folder.glob("*.npy"))]
    order = np.argsort(np.concatenate([np.empty(0), *(part["intended"] for part in parts)]), kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    rows, first = np.empty(len(order), RECORD), 0
    for part in parts:  # from the mapped file straight to its place: no second copy in memory
        rows[places[first : first + len(part)]] = part
        first += len(part)
    return rows


def read_file(path: Path) -> np.ndarray:
    """Return the rows of one file, mapped and not copied; EvidenceError if it does not hold request records.

    The file's length counts the rows, since a crash may leave the header behind it; a torn header holds none.
    """
    raw: mmap.mmap | bytes = b""
    if path.stat().st_size:
        with path.open("rb") as file:
            raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    magic = npy.magic(1, 0)
    start = len(magic) + 2 + int.from_bytes(raw[len(magic) : len(magic) + 2], "little")
    torn = len(raw) < max(start, len(magic) + 2)
    ours = torn or str(npy.dtype_to_descr(RECORD)).encode() in raw[:start]
    if not ours or not magic.startswith(raw[: len(magic)]):
        raise EvidenceError(
            f"{path} does not hold request records of this version: its header is {raw[:80]!r}.",
            hint="Copy the run directory again, or judge it with the version that wrote it.",
        )
    if torn:
        return np.empty(0, RECORD)
    count = (len(raw) - start) // RECORD.itemsize
    return np.frombuffer(raw, dtype=RECORD, count=count, offset=start)


def _write_kinds(path: Path) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(dict(enumerate(KINDS))), encoding="utf-8")
    part.replace(path)


def _check_kinds(path: Path) -> None:
    if not path.is_file():
        return
    try:
        listed: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvidenceError(f"{path} is not JSON: {error}.", hint="Copy the run directory again.") from None
    known = dict(enumerate(KINDS))
    unknown = {index: name for index, name in listed.items() if known.get(int(index)) != name}
    if unknown:
        raise EvidenceError(
            f"{path} names payload kinds this version does not know: {unknown}.",
            hint="Judge this run with the version that wrote it.",
        )


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
