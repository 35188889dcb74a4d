"""The proxy's command: serves the edges named on the command line until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from functools import partial

from tocsin.harness.sidecars.proxy.edge_control import Edge, serve_control


async def serve(control: int, edges: dict[str, Edge], host: str = "127.0.0.1") -> None:
    """Listen on every edge and on the control port until a signal comes; OSError if a port is taken."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    for edge in edges.values():
        await edge.listen()
    server = await asyncio.start_server(partial(serve_control, edges), host, control)
    await ended.wait()
    server.close()


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal comes; return 0, or 1 when a port is taken."""
    parser = argparse.ArgumentParser(prog="python -m tocsin.harness.sidecars.proxy")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; in a container, 0.0.0.0")
    parser.add_argument("--edge", nargs=3, action="append", required=True, metavar=("NAME", "LISTEN", "HOST:PORT"))
    options = parser.parse_args(argv)
    edges = {}
    for name, listen, target in options.edge:
        host, _, port = target.rpartition(":")
        edges[name] = Edge(name=name, port=int(listen), target=(host, int(port)), host=options.host)
    try:
        asyncio.run(serve(options.control, edges, options.host))
    except OSError as error:
        print(f"python -m tocsin.harness.sidecars.proxy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
