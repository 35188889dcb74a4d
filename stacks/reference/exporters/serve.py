"""What both exporters share: an HTTP port on loopback that answers /metrics until SIGTERM."""

from __future__ import annotations

import signal
import threading

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.process_collector import ProcessCollector

HOST = "127.0.0.1"


def serve(registry: CollectorRegistry, port: int) -> int:
    """Answer scrapes until SIGTERM or SIGINT; return 0."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ProcessCollector(registry=registry)
    server, thread = start_http_server(port, addr=HOST, registry=registry)
    stop.wait()
    server.shutdown()
    thread.join()
    return 0
