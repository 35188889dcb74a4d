"""Receives Alertmanager's webhooks and writes each down: `python -m tocsin.harness.sidecars.pager --port N --record FILE`.

    POST /<receiver>   appends one line to the record and answers (200 unless --answer says otherwise)
    GET  /healthz      answers 200
    PUT  /-/faults/pager_error   with --faults only: refuses a share of the notifications from now on; DELETE ends it

Standard library only: it also runs in a plain Python container that holds nothing else of ours.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

_WALL_START, _MONOTONIC_START = time.time(), time.monotonic()
_LARGEST = 64 * 1024 * 1024
FAULT_PATH = "/-/faults/pager_error"


class Refusal:
    """What `pager_error` asks for: `status` for exactly `share` of the calls, of one receiver or (None) of all.

    Calls that are no notification (they would be told 400) are refused likewise, and counted apart.
    """

    def __init__(self, given: Any) -> None:
        if not isinstance(given, dict) or set(given) != {"status", "share", "receiver"}:
            raise ValueError(f"expected status, share and receiver, got {given!r}")
        self.status, self.share, self.receiver = given["status"], given["share"], given["receiver"]
        if type(self.status) is not int or not 401 <= self.status <= 599:
            raise ValueError(f"status is {self.status!r}; expected 401 to 599")
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share!r}; expected above 0, at most 1")
        if not isinstance(self.receiver, str | None):
            raise ValueError(f"receiver is {self.receiver!r}; expected a name or null")
        self._calls = {True: 0, False: 0}

    def hits(self, receiver: str, notification: bool) -> bool:
        """Count a call and tell whether it is refused: after n calls floor(n x share) were, evenly spread."""
        if self.receiver not in (None, receiver):
            return False
        self._calls[notification] += 1
        calls = self._calls[notification]
        return bool(math.floor(calls * self.share + 1e-9) > math.floor((calls - 1) * self.share + 1e-9))


class Pager(ThreadingHTTPServer):
    """A webhook receiver on `host:port`; 0 chooses a port, see `server_port`. `answer` is what every POST is told.

    `faults`: whether it can be told to refuse notifications.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, record: Path, *, answer: int = 200, host: str = "127.0.0.1", faults: bool = False
    ) -> None:
        record.parent.mkdir(parents=True, exist_ok=True)
        super().__init__((host, port), _Call)
        self.answer, self.faults = answer, faults
        self.refusal: Refusal | None = None
        self._record: IO[str] = record.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def told(self, receiver: str, notification: bool) -> int:
        """Return the status that a call is told: 400 for one that is no notification, unless it is refused."""
        with self._lock:
            if self.refusal is not None and self.refusal.hits(receiver, notification):
                return int(self.refusal.status)
        return self.answer if notification else 400

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
        notification = self._notification()
        receiver = unquote(urlsplit(self.path).path.rstrip("/").rpartition("/")[2])
        status = self.server.told(receiver, notification is not None)
        if notification is None:
            self._answer(status, last=True)  # what is left of the body must not be taken for a next call
            return
        self.server.write(line(notification, at=received, receiver=receiver, answered=status))
        self._answer(status)

    def do_PUT(self) -> None:
        if not self._controls():
            return
        try:
            self.server.refusal = Refusal(self._body())
        except ValueError as error:
            self._answer(422, str(error))
            return
        self._answer(200)

    def do_DELETE(self) -> None:
        if self._controls():
            self.server.refusal = None
            self._answer(200)

    def _controls(self) -> bool:
        known = self.server.faults and urlsplit(self.path).path == FAULT_PATH
        if not known:
            self._answer(404, last=True)
        return known

    def _notification(self) -> dict[str, Any] | None:
        """The notification, or None when the body is torn or is none."""
        content = self._body()
        return content if isinstance(content, dict) and isinstance(content.get("alerts"), list) else None

    def _body(self) -> Any:
        """The JSON of the body, None when it is torn or is none."""
        try:
            length = int(self.headers.get("Content-Length", ""))
            body = self.rfile.read(length) if 0 <= length <= _LARGEST else b""
            return json.loads(body) if len(body) == length else None
        except (ValueError, OSError):
            return None

    def _answer(self, status: int, text: str = "", *, last: bool = False) -> None:
        self.send_response(status)
        if last:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

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
    parser = argparse.ArgumentParser(prog="python -m tocsin.harness.sidecars.pager")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--answer", type=int, default=200, help="the HTTP status that every POST is told")
    parser.add_argument("--faults", action="store_true", help="can be told to refuse notifications, for drills")
    options = parser.parse_args(argv)
    with Pager(options.port, options.record, answer=options.answer, host=options.host, faults=options.faults) as pager:
        pager.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
