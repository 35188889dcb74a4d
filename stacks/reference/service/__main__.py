"""Runs the service: `python -m service --port 8000 --control-port 8001 --log requests.jsonl`.

It binds loopback, unless BIND_ADDRESS names another address.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from service.app import make_app, make_parts
from service.faults.switches import control_app

HOST = os.environ.get("BIND_ADDRESS", "127.0.0.1")  # in a container it must be reached from outside
STOP_WITHIN_S = 2


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`: two of them share one event loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, port: int, lifespan: Literal["on", "off"]) -> _Server:
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        backlog=256,  # asyncio calls accept so often before it gives up, also when no descriptor is left
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    return _Server(config)


async def serve(servers: Sequence[_Server]) -> None:
    """Run the servers until SIGTERM or SIGINT; requests in flight are finished first, for STOP_WITHIN_S at most."""

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve() for server in servers))


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--control-port", type=int, default=8001, help="for faults; open only when TOCSIN_FAULTS=1")
    parser.add_argument("--log", type=Path, default=Path("requests.jsonl"), help="request log, appended to")
    options = parser.parse_args(argv)
    parts = make_parts(options.log)
    servers = [_server(make_app(parts), options.port, "on")]
    if os.environ.get("TOCSIN_FAULTS") == "1":
        servers.append(_server(control_app(parts.faults), options.control_port, "off"))
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be walked again in the middle of a request
    asyncio.run(serve(servers))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
