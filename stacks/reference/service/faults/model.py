"""Faults of the model and its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from service.faults.base import SHARE, Fault

_DELAY_MS = (0, 60_000)


class ModelRaised(RuntimeError):
    """What the model raises while the fault `model_raises` is on."""


class ModelRaises(Fault):
    """The model raises for a share of the requests."""

    numbers = {"share": SHARE}

    def before_predict(self) -> None:
        """Raise ModelRaised when this call is one of the share."""
        if self.strikes():
            raise ModelRaised("fault model_raises")


class ModelSlow(Fault):
    """A share of the requests waits before the model sees it; others go on meanwhile."""

    numbers = {"share": SHARE, "delay_ms": _DELAY_MS}

    def delay_s(self) -> float:
        """Return the delay when this call is one of the share."""
        return self.number["delay_ms"] / 1000 if self.strikes() else 0.0


class ColdStart(Fault):
    """The first requests wait, as they do where caches are filled by use; the later ones do not."""

    numbers = {"delay_ms": _DELAY_MS, "requests": (0, 1_000_000)}

    def delay_s(self) -> float:
        """Return the delay for one of the first requests."""
        self.strikes()
        return self.number["delay_ms"] / 1000 if self.strikes.calls <= self.number["requests"] else 0.0


class WrongAnswers(Fault):
    """The model gives the other class for a share of the requests, as sure of it as before."""

    numbers = {"share": SHARE}

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Flip classes and scores when this call is one of the share."""
        if not self.strikes():
            return classes, scores
        return [1 - predicted for predicted in classes], [1 - score for score in scores]


class NanOutput(Fault):
    """The model gives NaN for a share of the requests, and the class that a comparison with NaN yields."""

    numbers = {"share": SHARE}

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return NaN and class 0 when this call is one of the share."""
        if not self.strikes():
            return classes, scores
        return [0] * len(classes), [math.nan] * len(scores)


class WrongVersion(Fault):
    """The service answers as another version of its model: in answers, log lines, metadata and build info."""

    texts = {"version": r"[A-Za-z0-9_.-]{1,40}"}

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self.version = self.text["version"]
