"""The app of the control port, which turns faults on and off."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.faults.switches import FAULTS, Faults


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
