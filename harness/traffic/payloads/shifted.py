"""Rows that differ from the live sample by a declared size: what a scenario's `shift` may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.declarations.check_arguments import FeatureName
from tocsin.harness.declarations.request_format import Declaration, Shape
from tocsin.harness.traffic.payloads.body_template import Template
from tocsin.harness.traffic.payloads.payload_kind import ANSWERED, PayloadArgs, PayloadKind, good_body

SIZES: Mapping[str, str] = {
    "mean": "by_sd",
    "scale": "factor",
    "outliers": "share",
    "zeros": "share",
    "clipping": "share",
    "missing": "share",
    "nan": "share",
    "swap": "share",
    "label": "share",
    "concept": "share",
}
"""Shift -> the argument that is its size."""

_NOT_BY_FEATURE = ("label", "concept")
_OWN = {"outliers": "at_sd", "missing": "sent_as", "label": "label"}
_GIVEN = {True: "it stands beside each feature", False: "or a size beside each feature"}
_LIMITS = {"by_sd": (-100.0, 100.0), "factor": (0.0, 100.0), "share": (0.0, 1.0)}

Size = Annotated[float, Field(allow_inf_nan=False)]


def _distinct(names: object) -> object:
    if isinstance(names, tuple) and len(set(names)) != len(names):
        raise ValueError("a feature is named twice; name each once")
    return names


class ShiftArgs(PayloadArgs):
    """Change rows, or their truth, by a size: `by_sd`, `factor` or `share`, for all `features` or one by one.

    At once; or growing evenly `over` a time; or again and again, for `duty` of each period `every` (production time).
    """

    shift: Literal["mean", "scale", "outliers", "zeros", "clipping", "missing", "nan", "swap", "label", "concept"]
    features: Annotated[
        Annotated[tuple[FeatureName, ...], Field(min_length=1)] | Annotated[Mapping[str, Size], Field(min_length=1)],
        AfterValidator(_distinct),
    ] = ()
    by_sd: float | None = Field(default=None, allow_inf_nan=False)
    factor: float | None = Field(default=None, allow_inf_nan=False)
    share: float | None = Field(default=None, allow_inf_nan=False)
    at_sd: float | None = Field(default=None, allow_inf_nan=False, gt=0, le=1000)
    sent_as: Literal["null", "absent"] | None = None
    label: int | None = None
    over: Seconds | None = Field(default=None, gt=0)
    every: Seconds | None = Field(default=None, gt=0)
    duty: float | None = Field(default=None, gt=0, lt=1)

    @property
    def sizes(self) -> Mapping[str, float]:
        """Feature -> size; the empty name stands for the whole row."""
        if isinstance(self.features, Mapping):
            return dict(self.features)
        size = getattr(self, SIZES[self.shift])
        return dict.fromkeys(self.features or ("",), float(size or 0.0))

    def strength(self, at_s: np.ndarray, speed: float) -> np.ndarray:
        """Return how much of the shift is in force, 0 to 1, at wall seconds from the phase's start."""
        at = at_s * speed
        if self.over:
            return np.minimum(at / self.over, 1.0)
        if self.every:
            return (np.mod(at, self.every) < (self.duty or 0.5) * self.every).astype(np.float64)
        return np.ones(len(at))

    def unfit(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """Say so if fields cannot be left out of this stack's body, or if nothing would tell a changed truth."""
        yield from super().unfit(shape)
        if self.sent_as == "absent" and (
            self.protocol == "v2" or not Template(shape.body, shape.features).names_fields
        ):
            yield "sent_as", "null, as the body holds the values in one array"
        strange = [name for name in self.features if name not in shape.features]
        if strange and isinstance(self.features, Mapping):
            yield "features", f"features of the stack: {', '.join(shape.features)}"
        if self.shift == "concept" and self.feedback is None:
            yield "feedback", "a share and a delay: nothing else shows a concept shift"

    @model_validator(mode="after")
    def _consistent(self) -> ShiftArgs:
        wrong = [*self._sizes_wrong(), *self._times_wrong()]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _sizes_wrong(self) -> Iterator[str]:
        mine = SIZES[self.shift]
        by_feature = isinstance(self.features, Mapping)
        if self.shift in _NOT_BY_FEATURE and self.features:
            yield f"{self.shift} concerns whole rows and takes no features"
        elif self.shift not in _NOT_BY_FEATURE and not self.features:
            yield f"{self.shift} needs features, at least 1"
        if (getattr(self, mine) is None) != by_feature:
            yield f"{self.shift} needs {mine}, {_GIVEN[by_feature]}, and not both"
        allowed = {mine, _OWN.get(self.shift)}
        yield from (
            f"{self.shift} takes no {name}"
            for name in ("by_sd", "factor", "share", "at_sd", "sent_as", "label")
            if name not in allowed and getattr(self, name) is not None
        )
        own = _OWN.get(self.shift)
        if own and own != "sent_as" and getattr(self, own) is None:
            yield f"{self.shift} needs {own}"
        low, high = _LIMITS[mine]
        if any(not low <= size <= high for size in self.sizes.values()):
            yield f"{mine} lies between {low:g} and {high:g}"

    def _times_wrong(self) -> Iterator[str]:
        if self.over and self.every:
            yield "a shift grows `over` a time or comes `every` period, not both"
        if (self.every is None) != (self.duty is None):
            yield "`every` and `duty` come together"


SHIFTED = PayloadKind(
    name="shifted", summary="a row that differs by a declared size", declaration=ANSWERED, make=good_body
)
MISSING = PayloadKind(
    name="missing",
    summary="a row in which a shifted feature is null or left out",
    declaration=Declaration(status=(200, 422), counted="by_status", logged="yes"),
    make=good_body,
)
