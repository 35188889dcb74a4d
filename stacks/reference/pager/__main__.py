"""Prints what Alertmanager sends, one line per alert: `python -m pager --port 9095`.

It stands where your pager, chat or ticket system would, so that the stack pages nobody by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = os.environ.get("BIND_ADDRESS", "127.0.0.1")


def lines(receiver: str, notification: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line per alert of a webhook notification: receiver, state, name and summary."""
    for alert in notification.get("alerts", ()):
        name, summary = alert.get("labels", {}).get("alertname", "?"), alert.get("annotations", {}).get("summary", "")
        yield f"{receiver}: {alert.get('status', '?')} {name} {summary}".rstrip()


class _Inbox(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200 if self.path == "/healthz" else 404)

    def do_POST(self) -> None:
        try:
            notification = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            printed = list(lines(self.path.strip("/"), notification))
        except (ValueError, AttributeError):
            self._answer(400)
            return
        for line in printed:
            print(line, flush=True)
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests: only alerts are of interest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m pager", description=__doc__)
    parser.add_argument("--port", type=int, default=9095)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer((HOST, options.port), _Inbox) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
