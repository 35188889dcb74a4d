"""Takes a compose stack down from what engine.json says, through the engine's socket. Standard library only.

Containers, networks and volumes are known by the run id in their labels. The harness itself and the guardian use this.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.harness.engines.kernel.run_processes import kill_run

LABEL = "tocsin.run_id"
PROJECT_LABEL = "com.docker.compose.project"
_CALL_S = 10.0
_AGAIN_S = 0.1
_LOG_S = 3.0
_LOG_LINES = 20_000
_KINDS = ("containers", "networks", "volumes")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, within_s: float) -> None:
        super().__init__("docker", timeout=within_s)
        self._path = path

    def connect(self) -> None:
        """Open the engine's socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(host: str, method: str, path: str, within_s: float = _CALL_S) -> tuple[int, bytes]:
    """Call the engine at `unix:///path`; return status and body. OSError if it does not answer."""
    connection = _Connection(host.removeprefix("unix://"), within_s)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__} {error}") from None
    finally:
        connection.close()


def found(host: str, kind: str, label: str) -> list[dict[str, Any]]:
    """Return what the engine says of each of the run's `containers`, `networks` or `volumes`."""
    filters = quote(json.dumps({"label": [label]}))
    status, body = ask(host, "GET", f"/{kind}{'/json' if kind == 'containers' else ''}?all=1&filters={filters}")
    if status != 200:
        raise OSError(f"the engine answered {status}: {body[:200].decode(errors='replace')}")
    content = json.loads(body)
    return list((content.get("Volumes") or []) if kind == "volumes" else content)


def take_down(engine: Mapping[str, Any], run_id: str, within_s: float) -> list[str]:
    """Remove all that carries the run id, whoever made it; return a sentence for each thing that is left.

    The CLI that may be bringing more up is ended first. Gone twice in a row is gone: a call under way when its caller
    died may still make a container. Never raises for what it meets.
    """
    deadline = time.monotonic() + within_s
    kill_run(run_id, min(2.0, within_s / 4))
    host = str(engine.get("docker_host", ""))
    labels = (f"{LABEL}={run_id}", f"{PROJECT_LABEL}={engine.get('project', run_id)}")
    logs = Path(engine["logs"]) if engine.get("logs") else None
    times_gone, left = 0, [f"The Docker engine at {host} was not asked."]
    while times_gone < 2 and time.monotonic() < deadline:
        try:
            left = _round(host, labels, logs)
        except OSError as error:
            left = [f"The Docker engine at {host} does not answer: {error}."]
        times_gone = times_gone + 1 if not left else 0
        time.sleep(_AGAIN_S)
    _open_up(engine, max(deadline - time.monotonic(), 1.0))
    return left


def _round(host: str, labels: tuple[str, ...], logs: Path | None) -> list[str]:
    """Remove what is there, containers first; return a sentence for each thing that was."""
    seen = []
    for kind in _KINDS:
        there = {_id(row): row for label in labels for row in found(host, kind, label)}
        seen += [f"{kind[:-1].capitalize()} {_name(row)} of the run is left." for row in there.values()]
        if kind == "containers" and logs is not None:
            _all([_keeper(host, name, logs / f"{_service(row)}.log") for name, row in there.items()])
        _all([_remover(host, kind, name) for name in there])
    return seen


def _id(row: Mapping[str, Any]) -> str:
    return str(row.get("Id") or row["Name"])


def _name(row: Mapping[str, Any]) -> str:
    names = row.get("Names") or [row.get("Name", "")]
    return str(names[0]).lstrip("/")


def _service(row: Mapping[str, Any]) -> str:
    return str((row.get("Labels") or {}).get("com.docker.compose.service") or _name(row))


def _remover(host: str, kind: str, name: str) -> Callable[[], None]:
    more = {"containers": "?force=1&v=1", "volumes": "?force=1"}.get(kind, "")
    return lambda: _quietly(lambda: ask(host, "DELETE", f"/{kind}/{quote(name, safe='')}{more}"))


def _keeper(host: str, name: str, target: Path) -> Callable[[], None]:
    return lambda: _quietly(lambda: keep_log(host, name, target))


def _quietly(call: Callable[[], Any]) -> None:
    with suppress(OSError):
        call()


def _all(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_CALL_S + 2)


def keep_log(host: str, container: str, target: Path) -> None:
    """Write what a container has printed to `target`, once: a file that is there already is kept."""
    if target.exists() or not target.parent.is_dir():
        return
    status, body = ask(host, "GET", f"/containers/{container}/logs?stdout=1&stderr=1&tail={_LOG_LINES}", _LOG_S)
    if status == 200:
        target.write_bytes(plain(body))


def plain(stream: bytes) -> bytes:
    """Return a log without the 8-byte frames (stream, three zeros, length) of a container that has no terminal."""
    parts, at = [], 0
    while at + 8 <= len(stream) and stream[at] in (0, 1, 2) and stream[at + 1 : at + 4] == b"\0\0\0":
        size = int.from_bytes(stream[at + 4 : at + 8], "big")
        parts.append(stream[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts) if parts else stream


def _open_up(engine: Mapping[str, Any], within_s: float) -> None:
    """Let us remove what containers wrote into the work folder under users of their own; root may as it is."""
    if os.geteuid() == 0 or not engine.get("image"):
        return
    argv = [engine["cli"], "run", "--rm", "--network", "none", "--user", "0:0", "--entrypoint", "chmod"]
    argv += ["-v", f"{engine['work']}:/work", engine["image"], "-R", "a+rwX", "/work"]
    environment = {**os.environ, "DOCKER_HOST": str(engine.get("docker_host", ""))}
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s)
