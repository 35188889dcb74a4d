"""Every faulty kind against the real service: what was sent, what was answered, what it left behind.

`python -m tests.stacks.reference.faulty_kinds plain` (or `v2`, or both) prints the table of the stack's README.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.harness.evidence.requests import OUTCOMES
from tocsin.harness.planning.loader import load_stack
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.clients.request_encoder import encode, head_of
from tocsin.harness.traffic.payloads import ALL, Form, PayloadKind, load_sample
from tocsin.harness.traffic.payloads.faulty_kinds import FAULTY
from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol, request_protocol

STACK = load_stack("reference")
SAMPLE = load_sample(STACK.folder / STACK.payload.rows, STACK.payload.shape)
PROTOCOLS: dict[str, RequestProtocol] = {name: request_protocol(SAMPLE.shape, name) for name in ("plain", "v2")}
KINDS = {kind.name: kind for kind in ALL}
CASES = [(kind.name, protocol) for protocol in PROTOCOLS for kind in FAULTY]
_CLASSES = {"success": "answered", "error": "failed", "rejected": "refused"}
_PATIENCE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of one request. `counted` and `logged` hold what appeared; `status` 0 and no answer go together."""

    kind: str
    protocol: str
    sent: bytes
    outcome: str
    status: int
    counted: tuple[str, ...]
    logged: tuple[int, ...]
    up: bool


class Service:
    """The service, as a process of its own, with its log at hand."""

    def __init__(self, port: int, log: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self._log = log
        self._asked = 0

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()

    def send(self, kind: PayloadKind, protocol: str) -> Seen:
        """Send one request of a kind over a connection of its own, and see what is left of it."""
        self._asked += 1
        request_id = f"table-1-{self._asked}"
        how = PROTOCOLS[protocol]
        form, body = replace(kind.form(how), slow_s=0.2), kind.make(SAMPLE.row(self._asked), how)
        before = self._counts()
        client = KeepAlive(self.address, time.monotonic, 10.0)
        exchange = client.send(request_id, form, body)
        client.close()
        counted, logged = self._left(before, request_id)
        good = KeepAlive(self.address, time.monotonic, 10.0)
        up = good.send(
            f"{request_id}-after", PROTOCOLS["plain"].form, KINDS["normal"].make(SAMPLE.row(0), PROTOCOLS["plain"])
        )
        good.close()
        sent = _sent(form, self.address, request_id, body)
        return Seen(
            kind=kind.name, protocol=protocol, sent=sent, outcome=OUTCOMES[exchange.outcome], status=exchange.status,
            counted=counted, logged=logged, up=up.status == 200 and self.get("/readyz")[0] == 200,
        )  # fmt: skip

    def _left(self, before: dict[str, float], request_id: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Wait until the request was counted, but not for ever: some are not."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self._counts() == before:
            time.sleep(0.005)
        after = self._counts()
        counted = tuple(name for name in after for _ in range(round(after[name] - before[name])))
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        mine = [line for line in map(json.loads, lines) if line["request_id"] == request_id]
        return counted, tuple(line["status"] for line in mine)

    def _counts(self) -> dict[str, float]:
        found = re.findall(r'^ml_predictions_total\{.*status="(\w+)"\} (\S+)$', self.get("/metrics")[1], re.MULTILINE)
        counts = dict.fromkeys(_CLASSES.values(), 0.0)
        for status, value in found:
            counts[_CLASSES[status]] += float(value)
        return counts


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Start the service on a free port and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "requests.jsonl"
    argv = [sys.executable, "-m", "service", "--port", str(port), "--log", str(log)]
    environment = {**os.environ, "TOCSIN_FAULTS": "", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "service.log").open("wb") as output:
        process = subprocess.Popen(argv, cwd=STACK.folder, env=environment, stderr=output)
    try:
        yield _ready(Service(port, log), process)
    finally:
        process.terminate()
        process.wait(10)


def _ready(service: Service, process: subprocess.Popen[bytes]) -> Service:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            service.get("/readyz")
            return service
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the service was not ready within 20 s")


def _sent(form: Form, address: str, request_id: str, body: bytes) -> bytes:
    request = encode(head_of(form, address), request_id.encode(), body)
    whole = form.manner in ("plain", "slow_body")
    return request if whole else request[: len(request) - len(body) + len(body) // 2]


def table(rows: list[Seen]) -> str:
    """Return the table in Markdown."""
    lines = ["| kind | sent | bytes | answered | counted | logged | up afterwards |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        first = row.sent.split(b" HTTP/1.1")[0].decode(), row.sent.partition(b"\r\n\r\n")[2][:34]
        body = repr(first[1])[2:-1].replace("|", "\\|")
        answered = str(row.status) if row.status else "nothing"
        counted, logged = ", ".join(row.counted) or "no", ", ".join(map(str, row.logged)) or "no"
        sent = f"`{first[0]}` `{body}`" if body else f"`{first[0]}`"
        up = "yes" if row.up else "**NO**"
        lines.append(f"| `{row.kind}` | {sent} | {len(row.sent)} | {answered} | {counted} | {logged} | {up} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as running:
        print(table([running.send(KINDS[name], protocol) for name, protocol in CASES if protocol in sys.argv[1:]]))


if __name__ == "__main__":
    main()
