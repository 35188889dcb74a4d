"""What both exporters share: an HTTP port (on loopback, or BIND_ADDRESS) that answers /metrics until SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app
from prometheus_client.process_collector import ProcessCollector

from exporters import drills

HOST = os.environ.get("BIND_ADDRESS", "127.0.0.1")  # in a container it must be reached from outside


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log no request."""


def serve(registry: CollectorRegistry, port: int, switches: drills.Switches | None = None) -> int:
    """Answer scrapes until SIGTERM or SIGINT; return 0. With `switches`, faults for drills can be turned on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ProcessCollector(registry=registry)
    app = make_wsgi_app(registry)
    if switches is not None:
        app = drills.app(app, switches, lambda: generate_latest(registry))
    server = make_server(HOST, port, app, _Server, _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stop.wait()
    server.shutdown()
    thread.join()
    return 0
