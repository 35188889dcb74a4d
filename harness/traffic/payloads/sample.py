"""The stack's stored sample: reference rows (the yardstick) and live rows (what is sent)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import StackError
from harness.traffic.payloads.base import Template


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows x features. `reference` and `live` are disjoint; `integers` means whole numbers only."""

    reference: np.ndarray
    live: np.ndarray
    features: tuple[str, ...]
    integers: bool
    template: Template

    def place(self, feature: str) -> int:
        """Return the column of a feature; StackError if there is none of that name."""
        if feature not in self.features:
            raise StackError(f"The sample has no feature {feature!r}; it has {', '.join(self.features)}.")
        return self.features.index(feature)


def load_sample(path: Path, payload: Mapping[str, Any]) -> Sample:
    """Read the arrays `reference` and `live` of an `.npz`; `payload` as in stack.yaml. StackError if they misfit."""
    features = tuple(payload["features"])
    try:
        with np.load(path, allow_pickle=False) as arrays:
            reference, live = arrays["reference"], arrays["live"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise StackError(
            f"{path} is not a sample with arrays `reference` and `live`: {error}.",
            hint="Correct `payload.sample` in stack.yaml.",
        ) from None
    for name, rows in (("reference", reference), ("live", live)):
        if rows.ndim != 2 or rows.shape[1] != len(features) or not len(rows):
            raise StackError(
                f"{path}: `{name}` has shape {rows.shape}; expected rows x {len(features)} features.",
                hint="Correct `payload.features` or the sample in stack.yaml.",
            )
    body = str(payload["body"])
    if "$row" not in body:
        raise StackError(f"The request body {body!r} has no $row.", hint="Correct `payload.body` in stack.yaml.")
    return Sample(
        reference=reference,
        live=live,
        features=features,
        integers=bool(payload.get("integers", False)),
        template=Template(body=body),
    )
