"""Requests that a good service refuses, each in its own way: one entry of FAULTY per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from harness.stack import Frozen
from harness.traffic.payloads.base import Declaration, Kind, Template

_LIMIT_BYTES = 64 * 1024


def broken_json(row: Sequence[float], template: Template) -> bytes:
    """Return the first half of a good body: no start of a JSON object or array is itself JSON."""
    good = template.fill(row)
    return good[: len(good) // 2]


def wrong_shape(row: Sequence[float], template: Template) -> bytes:
    """Return a body that lacks the last value."""
    return template.fill(list(row)[:-1])


def nan(row: Sequence[float], template: Template) -> bytes:
    """Return a body whose first value is the literal NaN."""
    return template.fill([float("nan"), *list(row)[1:]])


def oversize(row: Sequence[float], template: Template) -> bytes:
    """Return a good body followed by blanks, 65 KiB in all: nothing but its size is wrong."""
    return template.fill(row).ljust(_LIMIT_BYTES + 1024)


def _refused(name: str, summary: str, status: int, make: Callable[[Sequence[float], Template], bytes]) -> Kind:
    declaration = Declaration(status=(status,), counted="refused", logged="yes")
    return Kind(name=name, summary=summary, declaration=declaration, make=make)


FAULTY = (
    _refused("broken_json", "the first half of a good body", 400, broken_json),
    _refused("wrong_shape", "one value too few", 422, wrong_shape),
    _refused("nan", "the literal NaN for the first value", 422, nan),
    _refused("oversize", "a good body padded to 65 KiB", 413, oversize),
)
_NAMES = tuple(kind.name for kind in FAULTY)


def _weights(value: object) -> object:
    return dict.fromkeys(value, 1.0) if isinstance(value, (list, tuple)) else value


def _known(weights: Mapping[str, float]) -> Mapping[str, float]:
    strange = [name for name in weights if name not in _NAMES]
    if strange:
        raise ValueError(f"no faulty kind is called {', '.join(strange)}; known are {', '.join(_NAMES)}")
    return weights


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FaultyArgs(Frozen):
    """Send faulty kinds (a list, or kind -> weight) as `share` of all requests; the rest is normal."""

    faulty: Annotated[Mapping[str, Weight], Field(min_length=1), BeforeValidator(_weights), AfterValidator(_known)]
    share: float = Field(gt=0, le=1)


def spread(args: FaultyArgs, count: int) -> np.ndarray:
    """Return the kinds (names) of `count` requests, faulty ones as even as can be: no chance, so no noise in a ratio.

    Of the first n requests round-half-up(n x share) are faulty, for every n; kinds take turns by weight.
    """
    due = np.floor(np.arange(count + 1) * args.share + 0.5 + 1e-9).astype(np.int64)
    faulty = np.diff(due) > 0
    kinds = np.full(count, "normal", dtype=object)
    kinds[faulty] = _turns(args.faulty, int(faulty.sum()))
    return kinds


def _turns(weights: Mapping[str, float], count: int) -> np.ndarray:
    """Each kind's j-th turn is due at (j + 1/2) / its part of the weight; take the first `count` of all turns."""
    total = sum(weights.values())
    parts = [weight / total for weight in weights.values()]
    due = [(np.arange(int(count * part) + 2) + 0.5) / part for part in parts]
    names = np.repeat(np.array(list(weights), dtype=object), [len(turns) for turns in due])
    return names[np.argsort(np.concatenate(due), kind="stable")][:count]
