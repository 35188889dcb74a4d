"""What every declared value is made of: an immutable model, durations, and the folder of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr

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


class InFolder(Frozen):
    """Base of a declared value that knows where its file lies."""

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self._folder

    def at(self, folder: Path) -> Self:
        """Return the same value, knowing where its file lies."""
        copy = self.model_copy()
        copy._folder = folder
        return copy
