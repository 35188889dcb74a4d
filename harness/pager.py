"""Receives Alertmanager's webhooks and writes each down: `python -m harness.pager --port N --record FILE`.

    POST /<receiver>   appends one line to the record and answers (200 unless --answer says otherwise)
    GET  /healthz      answers 200

Standard library only: it also runs in a plain Python container that holds nothing else of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

_WALL_START, _MONOTONIC_START = time.time(), time.monotonic()
_LARGEST = 64 * 1024 * 1024


class Pager(ThreadingHTTPServer):
    """A webhook receiver on `host:port`; 0 chooses a port, see `server_port`. `answer` is what every POST is told."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, record: Path, *, answer: int = 200, host: str = "127.0.0.1") -> None:
        record.parent.mkdir(parents=True, exist_ok=True)
        super().__init__((host, port), _Call)
        self.answer = answer
        self._record: IO[str] = record.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, line: dict[str, Any]) -> None:
        """Append one line to the record, at once."""
        with self._lock:
            self._record.write(json.dumps(line) + "\n")
            self._record.flush()

    def server_close(self) -> None:
        """Stop listening and close the record."""
        super().server_close()
        with self._lock:
            self._record.close()


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Pager

    def do_GET(self) -> None:
        self._answer(200 if urlsplit(self.path).path == "/healthz" else 404)

    def do_POST(self) -> None:
        received = _WALL_START + (time.monotonic() - _MONOTONIC_START)
        notification = self._body()
        if notification is None:
            self._answer(400, last=True)  # what is left of the body must not be taken for a next call
            return
        receiver = unquote(urlsplit(self.path).path.rstrip("/").rpartition("/")[2])
        self.server.write(line(notification, at=received, receiver=receiver, answered=self.server.answer))
        self._answer(self.server.answer)

    def _body(self) -> dict[str, Any] | None:
        """The notification, or None when the body is torn or is none."""
        try:
            length = int(self.headers.get("Content-Length", ""))
            body = self.rfile.read(length) if 0 <= length <= _LARGEST else b""
            content = json.loads(body) if len(body) == length else None
        except (ValueError, OSError):
            return None
        if not isinstance(content, dict) or not isinstance(content.get("alerts"), list):
            return None
        return content

    def _answer(self, status: int, *, last: bool = False) -> None:
        self.send_response(status)
        if last:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if code not in (200, self.server.answer):
            super().log_request(code, size)


def line(notification: dict[str, Any], *, at: float, receiver: str, answered: int) -> dict[str, Any]:
    """Return what is written of a notification: when, to whom, what it was told, and its alerts in full."""
    kept = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint")
    return {
        "at": at,
        "receiver": receiver,
        "answered": answered,
        "status": notification.get("status", ""),
        "group_key": notification.get("groupKey", ""),
        "group_labels": notification.get("groupLabels") or {},
        "truncated": notification.get("truncatedAlerts") or 0,
        "alerts": [
            {key: alert.get(key) for key in kept} for alert in notification["alerts"] if isinstance(alert, dict)
        ],
    }


def main(argv: list[str] | None = None) -> int:
    """Serve until ended by a signal."""
    parser = argparse.ArgumentParser(prog="python -m harness.pager")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--answer", type=int, default=200, help="the HTTP status that every POST is told")
    options = parser.parse_args(argv)
    with Pager(options.port, options.record, answer=options.answer, host=options.host) as pager:
        pager.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
