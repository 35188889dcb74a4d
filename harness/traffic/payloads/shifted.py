"""Live rows with some features moved by a declared part of a standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from harness.check import FeatureName
from harness.stack import Frozen
from harness.traffic.payloads.base import ANSWERED, Kind
from harness.traffic.payloads.normal import body
from harness.traffic.payloads.sample import Sample


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a feature is named twice; name each once")
    return names


class ShiftArgs(Frozen):
    """Move the mean of `features` by `by_sd` standard deviations of the reference sample (negative: downwards)."""

    shift: Literal["mean"]
    features: Annotated[tuple[FeatureName, ...], Field(min_length=1), AfterValidator(_distinct)]
    by_sd: float = Field(allow_inf_nan=False, ge=-100, le=100)


SHIFTED = Kind(name="shifted", summary="a live row with some features moved", declaration=ANSWERED, make=body)


def shifted_rows(sample: Sample, args: ShiftArgs) -> np.ndarray:
    """Return all live rows, shifted in raw units: float64, or int64 (rounded) if the stack's values are integers.

    Rounding is part of the shift: a fraction added to integers would move every tie and be seen at any size.
    """
    rows = sample.live.astype(np.float64)
    places = [sample.place(name) for name in args.features]
    rows[:, places] += args.by_sd * sample.reference[:, places].std(axis=0)
    return np.rint(rows).astype(np.int64) if sample.integers else rows


def achieved_shift(sample: Sample, args: ShiftArgs) -> Mapping[str, float]:
    """Return feature -> shift really made, in standard deviations of the reference sample (rounding changes it).

    A feature that does not vary in the reference has no such unit: its shift is 0.
    """
    moved = shifted_rows(sample, args).mean(axis=0) - sample.live.mean(axis=0, dtype=np.float64)
    sd = sample.reference.std(axis=0)
    places = {name: sample.place(name) for name in args.features}
    return {name: float(moved[place] / sd[place]) if sd[place] else 0.0 for name, place in places.items()}
