"""Faults of an exporter for fire drills: PUT and DELETE /-/faults/NAME, there only when TOCSIN_FAULTS=1.

The metrics of simulated devices can be changed, too (simulated.py); real devices are never touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/-/faults/"
Bounds = Mapping[str, tuple[float, float]]
"""Parameter -> (least, most)."""
COMMON: Mapping[str, Bounds] = {"exporter_stale": {}, "exporter_error": {"status": (500, 599)}}
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def wanted() -> bool:
    """Tell whether this exporter was started for drills."""
    return os.environ.get("TOCSIN_FAULTS") == "1"


class Switches:
    """The faults that are on, with their parameters. Turning one on again replaces it."""

    def __init__(self, known: Mapping[str, Bounds] = COMMON) -> None:
        self.known = {**COMMON, **known}
        self.on: dict[str, dict[str, float]] = {}
        self.page = b""

    def turn_on(self, name: str, given: Mapping[str, object], page: Callable[[], bytes]) -> None:
        """Turn a fault on; `page` renders the metrics as they are. ValueError for wrong parameters."""
        bounds = self.known[name]
        if set(given) != set(bounds):
            raise ValueError(f"expected {', '.join(bounds) or 'no parameter'}, got {dict(given)!r}")
        taken = {key: _number(key, given[key], *bounds[key]) for key in bounds}
        if name == "exporter_stale" and name not in self.on:
            self.page = page()
        self.on = {**self.on, name: taken}

    def turn_off(self, name: str) -> None:
        """Turn a fault off; nothing happens if it is off."""
        self.on = {other: params for other, params in self.on.items() if other != name}


def _number(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}; expected a number from {least:g} to {most:g}")
    return float(value)


def app(metrics: WSGIApplication, switches: Switches, page: Callable[[], bytes]) -> WSGIApplication:
    """Return `metrics` with the faults that are on, and the paths that turn them on and off."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            return _answer(start, *_change(environ, path.removeprefix(PREFIX), switches, page))
        if "exporter_error" in switches.on:
            return _answer(start, int(switches.on["exporter_error"]["status"]), b"told to fail\n")
        if "exporter_stale" in switches.on:
            return _answer(start, 200, switches.page)
        return metrics(environ, start)

    return answer


def _change(environ: WSGIEnvironment, name: str, switches: Switches, page: Callable[[], bytes]) -> tuple[int, bytes]:
    method = environ["REQUEST_METHOD"]
    if name not in switches.known:
        return 404, f"no fault {name!r}; there is {', '.join(switches.known)}\n".encode()
    if method == "DELETE":
        switches.turn_off(name)
        return 200, b""
    if method != "PUT":
        return 405, b"expected PUT or DELETE\n"
    try:
        given = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        if not isinstance(given, dict):
            raise ValueError("expected a JSON object")
        switches.turn_on(name, given, page)
    except ValueError as error:
        return 422, f"{error}\n".encode()
    return 200, b""


def _answer(start: StartResponse, status: int, body: bytes) -> list[bytes]:
    start(f"{status} -", [("Content-Type", _TEXT), ("Content-Length", str(len(body)))])
    return [body]
