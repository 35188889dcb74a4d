"""Faults inside the service for fire drills, and the control app that turns them on. Off unless TOCSIN_FAULTS=1.

A fault is one entry in FAULTS: its name, and a function that checks the parameters and returns what to do per call.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
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


class ModelRaises:
    """The model raises for a share of the requests, every n-th."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        share = parameters.get("share")
        if set(parameters) != {"share"} or isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f'expected {{"share": 0.3}}, got {dict(parameters)!r}')
        if not 0 < share <= 1:
            raise ValueError(f"share is {share!r}; expected above 0, at most 1")
        self._every_nth = EveryNth(float(share))

    def before_predict(self) -> None:
        """Raise ModelRaised when this call is one of the share."""
        if self._every_nth():
            raise ModelRaised("fault model_raises")

    def state(self) -> dict[str, float]:
        """Return what is on, and how often it struck."""
        return self._every_nth.state()


FAULTS: dict[str, Callable[[Mapping[str, Any]], ModelRaises]] = {"model_raises": ModelRaises}


class Faults:
    """The faults that are on. Turning one on again replaces it; turning off what is off does nothing."""

    def __init__(self) -> None:
        self._on: dict[str, ModelRaises] = {}

    def turn_on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Turn a fault on. KeyError for an unknown name, ValueError for wrong parameters."""
        self._on[name] = FAULTS[name](parameters)

    def turn_off(self, name: str) -> None:
        """Turn a fault off. KeyError for an unknown name."""
        FAULTS[name]
        self._on.pop(name, None)

    def before_predict(self) -> None:
        """Do what the faults that are on do before each call of the model."""
        if self._on:
            for fault in tuple(self._on.values()):
                fault.before_predict()

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
