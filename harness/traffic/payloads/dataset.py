"""The stack's rows: reference rows (the yardstick of shifts) and live rows (what is sent)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Shape
from tocsin.harness.traffic.payloads.body_template import Template, placeholders
from tocsin.harness.traffic.payloads.payload_kind import in_one_line
from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol, request_protocol
from tocsin.harness.traffic.payloads.row_files import READERS, Columns, read_table


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows x features. `whole` says per feature that its values are whole numbers.

    Missing values are nan, text is kept as places in `levels[feature]`; `labels` holds each live row's class, if known.
    """

    reference: np.ndarray
    live: np.ndarray
    shape: Shape
    whole: tuple[bool, ...]
    levels: Mapping[str, tuple[object, ...]]
    labels: np.ndarray | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.shape.features

    @cached_property
    def protocol(self) -> RequestProtocol:
        """The stack's plain protocol."""
        return request_protocol(self.shape)

    def truth(self, places: np.ndarray) -> np.ndarray | None:
        """Return the classes of live rows, None if they are not known."""
        return None if self.labels is None else np.take(self.labels, places)

    def place(self, feature: str) -> int:
        """Return the column of a feature; StackError if there is none of that name."""
        if feature not in self.features:
            raise StackError(f"The sample has no feature {feature!r}; it has {', '.join(self.features)}.")
        return self.features.index(feature)

    def lists(self, rows: np.ndarray) -> list[list[object]]:
        """Return rows as they are sent: whole numbers without a point, text for its place in `levels`, None for nan."""
        columns = [self._column(place, rows[:, place]) for place in range(rows.shape[1])]
        return [list(row) for row in zip(*columns, strict=True)]

    def row(self, place: int) -> list[object]:
        """Return one live row as it is sent."""
        if np.issubdtype(self.live.dtype, np.integer):
            return list(self.live[place].tolist())
        return self.lists(self.live[place : place + 1])[0]

    def _column(self, place: int, values: np.ndarray) -> list[object]:
        absent = np.isnan(values)
        present = self._present(place, values[~absent])
        if not absent.any():
            return present
        kept = iter(present)
        return [None if missing else next(kept) for missing in absent.tolist()]

    def _present(self, place: int, values: np.ndarray) -> list[object]:
        levels = self.levels.get(self.features[place])
        if levels:
            return [levels[code] for code in values.astype(np.int64).tolist()]
        if self.whole[place]:
            return list(values.astype(np.int64).tolist())
        return list(values.tolist())


def load_sample(path: Path, payload: Mapping[str, object], reference: Path | None = None) -> Sample:
    """Read the rows of an `.npz` or a table; `payload` has the fields of stack.Shape. StackError if they misfit."""
    shape = _shape(payload)
    if path.suffix.lower() not in READERS:
        return _stored(path, shape)
    label = (shape.label,) if shape.label else ()
    rows = read_table(path, (*shape.features, *label))
    yardstick = read_table(reference, shape.features) if reference else rows
    levels = {name: _levels([*rows[name], *yardstick[name]]) for name in shape.features}
    live = _matrix(rows, shape.features, levels)
    whole = tuple(
        shape.integers or all(value is None or type(value) is int for value in rows[name]) for name in shape.features
    )
    if all(whole) and not any(levels.values()) and not np.isnan(live).any():
        live = live.astype(np.int64)
    labels = _labels(rows[shape.label], path) if shape.label else None
    reference_rows = _matrix(yardstick, shape.features, levels) if reference else live
    levels = {name: values for name, values in levels.items() if values}
    return Sample(live=live, reference=reference_rows, shape=shape, whole=whole, levels=levels, labels=labels)


def _shape(payload: Mapping[str, object]) -> Shape:
    try:
        shape = Shape.model_validate(dict(payload))
    except ValidationError as error:
        raise StackError(f"The payload of the stack is wrong: {in_one_line(error)}.") from None
    names = placeholders(shape.body)
    strange = [name for name in names if name not in ("row", *shape.features)]
    wrong = ""
    if strange:
        wrong = f"has ${', $'.join(strange)}, which is no feature"
    elif not names:
        wrong = 'has no $row and no "$name"'
    if wrong:
        raise StackError(f"The request body {shape.body!r} {wrong}.", hint="Correct `payload.body` in stack.yaml.")
    try:
        Template(shape.body, shape.features).document([0] * len(shape.features))
    except ValueError as error:
        raise StackError(
            f"The request body {shape.body!r} is no JSON with values filled in: {error}.",
            hint="Correct `payload.body` in stack.yaml.",
        ) from None
    return shape


def _stored(path: Path, shape: Shape) -> Sample:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            reference, live = arrays["reference"], arrays["live"]
            labels = arrays.get("live_labels")
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise StackError(
            f"{path} is not a sample with arrays `reference` and `live`: {error}.",
            hint="Correct `payload.sample` in stack.yaml.",
        ) from None
    for name, rows in (("reference", reference), ("live", live)):
        if rows.ndim != 2 or rows.shape[1] != len(shape.features) or not len(rows):
            raise StackError(
                f"{path}: `{name}` has shape {rows.shape}; expected rows x {len(shape.features)} features.",
                hint="Correct `payload.features` or the sample in stack.yaml.",
            )
    labels = None if labels is None else labels.astype(np.int64)
    whole = (bool(shape.integers or np.issubdtype(live.dtype, np.integer)),) * len(shape.features)
    return Sample(reference=reference, live=live, shape=shape, whole=whole, levels={}, labels=labels)


def _levels(values: Sequence[object]) -> tuple[object, ...]:
    """Return the distinct values of a column that holds anything but plain numbers, in a fixed order; else nothing.

    Whole numbers beyond 2**53 are names rather than numbers: a float would change them.
    """
    if all(_is_plain_number(value) for value in values):
        return ()
    return tuple(sorted({value for value in values if value is not None}, key=lambda value: (str(type(value)), value)))


def _is_plain_number(value: object) -> bool:
    if type(value) is int:
        return abs(value) <= 2**53
    return value is None or type(value) is float


def _matrix(columns: Columns, names: Sequence[str], levels: Mapping[str, tuple[object, ...]]) -> np.ndarray:
    matrix = np.empty((len(columns[names[0]]), len(names)))
    for place, name in enumerate(names):
        codes: dict[object, float] = {level: float(number) for number, level in enumerate(levels.get(name, ()))}
        codes[None] = np.nan
        matrix[:, place] = np.array([codes.get(value, value) for value in columns[name]], dtype=np.float64)
    return matrix


def _labels(values: Sequence[object], path: Path) -> np.ndarray:
    try:
        return np.array([int(value) for value in values], dtype=np.int64)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise StackError(f"{path}: the column of `payload.label` holds no whole numbers.") from None
