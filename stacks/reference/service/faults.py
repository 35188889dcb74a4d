"""Faults inside the service for fire drills, and the control app that turns them on. Off unless TOCSIN_FAULTS=1.

A fault is a class and its entry in FAULTS. None of them blocks the event loop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class ModelRaised(RuntimeError):
    """What the model raises while the fault `model_raises` is on."""


class EveryNth:
    """Says yes to exactly the share of calls: after n calls floor(n x share), evenly spread, without chance."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.calls = self.hits = 0

    def __call__(self) -> bool:
        """Count a call and say whether it is hit."""
        self.calls += 1
        due = math.floor(self.calls * self.share + 1e-9)
        hit, self.hits = due > self.hits, due
        return hit

    def state(self) -> dict[str, float]:
        """Return the share, the calls seen and the calls hit."""
        return {"share": self.share, "calls": self.calls, "hits": self.hits}


class Fault:
    """One fault that is on: a share of the calls is hit, every n-th. A subclass overrides what it does to them."""

    parameters: Mapping[str, tuple[float, float]] = {"share": (0, 1)}
    """Name -> (above, at most)."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if set(given) != set(self.parameters):
            raise ValueError(f"expected {', '.join(self.parameters)}, got {dict(given)!r}")
        self.given = {name: _number(name, given[name], *bounds) for name, bounds in self.parameters.items()}
        self._every_nth = EveryNth(self.given["share"])

    def delay_s(self) -> float:
        """Return how long this call is held up before the model sees it."""
        return 0.0

    def before_predict(self) -> None:
        """Raise, or do nothing."""

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return the model's classes and scores, or others."""
        return classes, scores

    def state(self) -> dict[str, float]:
        """Return what is on, and how often it struck."""
        return {**self.given, **self._every_nth.state()}


def _number(name: str, value: Any, above: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; expected a number")
    if not above < value <= most:
        raise ValueError(f"{name} is {value!r}; expected above {above:g}, at most {most:g}")
    return float(value)


class ModelRaises(Fault):
    """The model raises for a share of the requests."""

    def before_predict(self) -> None:
        """Raise ModelRaised when this call is one of the share."""
        if self._every_nth():
            raise ModelRaised("fault model_raises")


class ModelSlow(Fault):
    """A share of the requests waits before the model sees it; others go on meanwhile."""

    parameters: Mapping[str, tuple[float, float]] = {"share": (0, 1), "delay_ms": (0, 60_000)}

    def delay_s(self) -> float:
        """Return the delay when this call is one of the share."""
        return self.given["delay_ms"] / 1000 if self._every_nth() else 0.0


class WrongAnswers(Fault):
    """The model gives the other class for a share of the requests, as sure of it as before."""

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Turn classes and scores around when this call is one of the share."""
        if not self._every_nth():
            return classes, scores
        return [1 - one for one in classes], [1 - score for score in scores]


FAULTS: dict[str, type[Fault]] = {
    "model_raises": ModelRaises,
    "model_slow": ModelSlow,
    "wrong_answers": WrongAnswers,
}


class Faults:
    """The faults that are on. Turning one on again replaces it; turning off what is off does nothing."""

    def __init__(self) -> None:
        self._on: dict[str, Fault] = {}

    def turn_on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Turn a fault on. KeyError for an unknown name, ValueError for wrong parameters."""
        self._on[name] = FAULTS[name](parameters)

    def turn_off(self, name: str) -> None:
        """Turn a fault off. KeyError for an unknown name."""
        FAULTS[name]
        self._on.pop(name, None)

    def delay_s(self) -> float:
        """Return how many seconds this call waits before the model sees it."""
        return sum(fault.delay_s() for fault in tuple(self._on.values())) if self._on else 0.0

    def before_predict(self) -> None:
        """Do what the faults that are on do before each call of the model."""
        if self._on:
            for fault in tuple(self._on.values()):
                fault.before_predict()

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return what the faults that are on make of the model's answer."""
        for fault in tuple(self._on.values()):
            classes, scores = fault.answered(classes, scores)
        return classes, scores

    def state(self) -> dict[str, dict[str, float]]:
        """Return the state of every fault that is on, by name."""
        return {name: fault.state() for name, fault in self._on.items()}


def control_app(faults: Faults) -> Starlette:
    """Return the app of the control port: GET /faults, PUT and DELETE /faults/{name}."""

    async def change(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        if name not in FAULTS:
            return JSONResponse({"error": f"no fault {name!r}; there is {', '.join(FAULTS)}"}, 404)
        if request.method == "DELETE":
            faults.turn_off(name)
            return JSONResponse(faults.state())
        try:
            parameters = json.loads(await request.body() or b"{}")
            if not isinstance(parameters, dict):
                raise ValueError("expected a JSON object")
            faults.turn_on(name, parameters)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(faults.state())

    async def show(request: Request) -> JSONResponse:
        return JSONResponse(faults.state())

    return Starlette(routes=[Route("/faults", show), Route("/faults/{name}", change, methods=["PUT", "DELETE"])])
