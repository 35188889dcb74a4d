"""What every declared value is made of: an immutable model, and durations."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from tocsin.harness.core.clock import parse_duration


def _seconds(value: object) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    return float(value)  # type: ignore[arg-type]


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""Production seconds, written as a duration (`5m`)."""


class Frozen(BaseModel):
    """Base of every declared value: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
