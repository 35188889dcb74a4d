"""Receives Alertmanager's webhooks and records each: `python -m tocsin.harness.sidecars.pager --port N --record FILE`.

    POST /<receiver>   appends a line to the record and answers 200, or the status of --answer
    GET  /healthz      answers 200
    PUT  /-/faults/pager_error   with --faults only: refuses a share of the notifications until DELETE

Standard library only: it also runs in a plain Python container.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

_WALL_START, _MONOTONIC_START = time.time(), time.monotonic()
_LARGEST = 64 * 1024 * 1024
FAULT_PATH = "/-/faults/pager_error"


class Refusal:
    """Answers `status` to exactly `share` of the calls of one receiver, or of all for None, evenly spread.

    Calls that are no notification (their normal answer is 400) are refused alike, and counted apart.
    """

    def __init__(self, arguments: object) -> None:
        """ValueError for arguments that do not fit."""
        if not isinstance(arguments, dict) or set(arguments) != {"status", "share", "receiver"}:
            raise ValueError(f"expected status, share and receiver, got {arguments!r}")
        status, share, receiver = arguments["status"], arguments["share"], arguments["receiver"]
        if type(status) is not int or not 401 <= status <= 599:
            raise ValueError(f"status is {status!r}; expected 401 to 599")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise ValueError(f"share is {share!r}; expected above 0, at most 1")
        if not isinstance(receiver, str | None):
            raise ValueError(f"receiver is {receiver!r}; expected a name or null")
        self.status, self.share, self.receiver = status, share, receiver
        self._calls = {True: 0, False: 0}

    def refuses(self, receiver: str, *, is_notification: bool) -> bool:
        """Count a call and return whether it is refused: of n calls, floor(n x share) are."""
        if self.receiver not in (None, receiver):
            return False
        self._calls[is_notification] += 1
        calls = self._calls[is_notification]
        return math.floor(calls * self.share + 1e-9) > math.floor((calls - 1) * self.share + 1e-9)


class Pager(ThreadingHTTPServer):
    """A webhook receiver on `host:port`; port 0 chooses one, see `server_port`.

    `answer` is the status of every POST. `faults`: whether drills may let it refuse notifications.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, record: Path, *, answer: int = 200, host: str = "127.0.0.1", faults: bool = False
    ) -> None:
        record.parent.mkdir(parents=True, exist_ok=True)
        super().__init__((host, port), _Handler)
        self.answer, self.faults = answer, faults
        self.refusal: Refusal | None = None
        self._record: IO[str] = record.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def status_for(self, receiver: str, *, is_notification: bool) -> int:
        """Return the status that answers a POST: 400 when it is no notification, unless it is refused."""
        with self._lock:
            if self.refusal is not None and self.refusal.refuses(receiver, is_notification=is_notification):
                return self.refusal.status
        return self.answer if is_notification else 400

    def write(self, line: Mapping[str, object]) -> None:
        """Append a line to the record and flush it."""
        with self._lock:
            self._record.write(json.dumps(line) + "\n")
            self._record.flush()

    def server_close(self) -> None:
        """Stop listening and close the record."""
        super().server_close()
        with self._lock:
            self._record.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Pager

    def do_GET(self) -> None:
        self._answer(200 if urlsplit(self.path).path == "/healthz" else 404)

    def do_POST(self) -> None:
        received = _WALL_START + (time.monotonic() - _MONOTONIC_START)
        notification = self._notification()
        receiver = unquote(urlsplit(self.path).path.rstrip("/").rpartition("/")[2])
        status = self.server.status_for(receiver, is_notification=notification is not None)
        if notification is None:
            self._answer(status, last=True)  # the rest of the body must not be read as the next call
            return
        self.server.write(record_line(notification, at=received, receiver=receiver, answered=status))
        self._answer(status)

    def do_PUT(self) -> None:
        if not self._is_fault_control():
            return
        try:
            self.server.refusal = Refusal(self._body())
        except ValueError as error:
            self._answer(422, str(error))
            return
        self._answer(200)

    def do_DELETE(self) -> None:
        if self._is_fault_control():
            self.server.refusal = None
            self._answer(200)

    def _is_fault_control(self) -> bool:
        """Return whether the call sets a fault; answer 404 if not."""
        known = self.server.faults and urlsplit(self.path).path == FAULT_PATH
        if not known:
            self._answer(404, last=True)
        return known

    def _notification(self) -> dict[str, object] | None:
        """Return the notification in the body, None when there is none."""
        content = self._body()
        if isinstance(content, dict) and isinstance(content.get("alerts"), list):
            return content
        return None

    def _body(self) -> object:
        """Return the JSON in the body, None when it is torn or no JSON."""
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= _LARGEST:
                return None
            body = self.rfile.read(length)
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


def record_line(notification: Mapping[str, object], *, at: float, receiver: str, answered: int) -> dict[str, object]:
    """Return the line for a notification: when and for whom it came, the status it got, and its alerts in full."""
    kept = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint")
    alerts = notification["alerts"]
    assert isinstance(alerts, list)
    return {
        "at": at,
        "receiver": receiver,
        "answered": answered,
        "status": notification.get("status", ""),
        "group_key": notification.get("groupKey", ""),
        "group_labels": notification.get("groupLabels") or {},
        "truncated": notification.get("truncatedAlerts") or 0,
        "alerts": [{key: alert.get(key) for key in kept} for alert in alerts if isinstance(alert, dict)],
    }


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tocsin.harness.sidecars.pager")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--answer", type=int, default=200, help="the HTTP status that answers every POST")
    parser.add_argument("--faults", action="store_true", help="drills may let it refuse notifications")
    options = parser.parse_args(argv)
    with Pager(options.port, options.record, answer=options.answer, host=options.host, faults=options.faults) as pager:
        pager.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
