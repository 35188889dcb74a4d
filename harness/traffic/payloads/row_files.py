"""Reads rows from the user's CSV, JSONL or Parquet file, chosen by the suffix, as named columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tocsin.harness.core.errors import StackError

Columns = dict[str, list[object]]
"""Column name -> values: numbers, text, True and False, or None for missing."""


def read_table(path: Path, names: Sequence[str]) -> Columns:
    """Return the columns of these names; StackError if the file, a column or the library for its form is missing."""
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise StackError(
            f"{path} ends in none of {', '.join(READERS)}.", hint="Correct `payload.source` in stack.yaml."
        )
    try:
        columns = read(path, names)
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise StackError(
            f"{path} cannot be read as {path.suffix[1:]}: {error!r}"[:300],
            hint="Correct the file, or `payload.source`.",
        ) from None
    absent = [name for name in names if name not in columns]
    if absent:
        raise StackError(
            f"{path} has no column {', '.join(absent)}; it has {', '.join(columns) or 'none'}.",
            hint="Correct `payload.features` or `payload.label` in stack.yaml.",
        )
    if not columns[names[0]]:
        raise StackError(f"{path} has no row.", hint="Correct `payload.source` in stack.yaml.")
    return {name: columns[name] for name in names}


def _csv(path: Path, names: Sequence[str]) -> Columns:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        columns: dict[str, list[str]] = {name: [] for name in header}
        for number, row in enumerate(rows, 2):
            if row and len(row) != len(header):
                raise ValueError(f"line {number} has {len(row)} fields, the header {len(header)}")
            for name, text in zip(header, row, strict=False):
                columns[name].append(text)
    return {name: _typed(texts) for name, texts in columns.items()}


def _typed(texts: list[str]) -> list[object]:
    """Read a column as whole numbers, else as numbers, else as text; an empty field is missing."""
    for number in (int, float):
        try:
            return [None if not text else number(text) for text in texts]
        except ValueError:
            continue
    return [text or None for text in texts]


def _jsonl(path: Path, names: Sequence[str]) -> Columns:
    columns: Columns = {}
    rows = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, Mapping):
                raise ValueError(f"line {number} is not a JSON object")
            if any(isinstance(value, (dict, list)) for value in row.values()):
                raise ValueError(f"line {number} holds more than single values")
            for name in row.keys() - columns.keys():
                columns[name] = [None] * rows
            for name, values in columns.items():
                values.append(row.get(name))
            rows += 1
    return columns


def _parquet(path: Path, names: Sequence[str]) -> Columns:
    try:
        from pyarrow import parquet  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise StackError(
            f"{path} needs pyarrow, which is not installed.",
            hint="Install it (`pip install 'tocsin[parquet]'`), or write the rows as CSV or JSONL.",
        ) from None
    try:
        file = parquet.ParquetFile(path)
        present = file.schema_arrow.names
        table = file.read(columns=[name for name in names if name in present])
    except Exception as error:  # pyarrow's own errors derive from several classes
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return {**{name: [] for name in present}, **table.to_pydict()}


READERS: Mapping[str, Callable[[Path, Sequence[str]], Columns]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
"""The ending of a file's name -> how it is read."""
