"""The faults inside the service, those that are on, and the app of the control port, which turns them on and off."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import ModuleType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.faults import exposition, logfile, model, process
from service.faults.base import Fault
from service.requestlog import RequestLog


def _faults_in(module: ModuleType) -> dict[str, type[Fault]]:
    """Return name -> class of the faults that a module defines; names with an underscore in front are bases."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Fault)]
    own = [fault for fault in classes if fault.__module__ == module.__name__ and not fault.__name__.startswith("_")]
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", fault.__name__).lower(): fault for fault in own}


FAULTS = {name: fault for module in (model, process, exposition, logfile) for name, fault in _faults_in(module).items()}
"""Every fault by its name: `ModelRaises` is `model_raises`."""


class Faults:
    """The faults that are on. Turning one on again replaces it; turning off what is off does nothing.

    `offset_s` is how far the wall clock is off, `version` what the service reports as its version, None for its own.
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._on: dict[str, Fault] = {}
        self.offset_s = 0.0
        self.version: str | None = None

    def turn_on(self, name: str, given: Mapping[str, object]) -> None:
        """Turn a fault on. KeyError: no such name, ValueError: wrong parameters, OSError: it cannot begin."""
        fault = FAULTS[name](given)
        self.turn_off(name)
        fault.begin(self._log)
        self._on[name] = fault
        self._changed()

    def turn_off(self, name: str) -> None:
        """Turn a fault off. KeyError for an unknown name."""
        if name not in FAULTS:
            raise KeyError(name)
        fault = self._on.pop(name, None)
        if fault is not None:
            fault.end(self._log)
        self._changed()

    def _changed(self) -> None:
        self.offset_s = sum(fault.offset_s for fault in self._on.values())
        self.version = next((fault.version for fault in self._on.values() if fault.version), None)

    def delay_s(self) -> float:
        """Return how many seconds this call waits before the model sees it."""
        return sum(fault.delay_s() for fault in tuple(self._on.values()))

    def before_predict(self) -> None:
        """Do what the faults that are on do before each call of the model."""
        for fault in tuple(self._on.values()):
            fault.before_predict()

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return what the faults that are on make of the model's answer."""
        for fault in tuple(self._on.values()):
            classes, scores = fault.answered(classes, scores)
        return classes, scores

    async def page(self, page: bytes) -> bytes | None:
        """Return what the faults that are on make of the page of /metrics; None answers 500."""
        for fault in tuple(self._on.values()):
            altered = await fault.page(page)
            if altered is None:
                return None
            page = altered
        return page

    def state(self) -> dict[str, dict[str, object]]:
        """Return the state of every fault that is on, by name."""
        return {name: fault.state() for name, fault in self._on.items()}


def control_app(faults: Faults) -> Starlette:
    """Return the app of the control port: GET /faults, PUT and DELETE /faults/{name}."""

    async def change(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        if name not in FAULTS:
            return JSONResponse({"error": f"no fault {name!r}; there is {', '.join(FAULTS)}"}, 404)
        try:
            if request.method == "DELETE":
                faults.turn_off(name)
                return JSONResponse(faults.state())
            parameters = json.loads(await request.body() or b"{}")
            if not isinstance(parameters, dict):
                raise ValueError("expected a JSON object")
            faults.turn_on(name, parameters)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 422)
        except OSError as error:
            return JSONResponse({"error": f"{name}: {error}"}, 500)
        return JSONResponse(faults.state())

    async def show(request: Request) -> JSONResponse:
        return JSONResponse(faults.state())

    return Starlette(routes=[Route("/faults", show), Route("/faults/{name}", change, methods=["PUT", "DELETE"])])
