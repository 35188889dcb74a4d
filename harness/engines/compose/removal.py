"""Removes the containers, networks and volumes of a run, through the Docker engine's socket. Standard library only.

They are known by the run id in their labels. The engine itself, the guardian and `tocsin sweep` use this.
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
from functools import partial
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from tocsin.harness.core.http import exchange
from tocsin.harness.engines.kernel.run_processes import kill_run

LABEL = "tocsin.run_id"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
_CALL_S = 10.0
_AGAIN_S = 0.1
_LOG_S = 3.0
_LOG_LINES = 20_000
_KINDS = ("containers", "networks", "volumes")
_FORCED = {"containers": "?force=1&v=1", "volumes": "?force=1"}


class DockerResource(TypedDict, total=False):
    """A container, network or volume as the Docker engine lists it; volumes have no `Id`, containers no `Name`."""

    Id: str
    Name: str
    Names: list[str]
    Labels: dict[str, str] | None


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, within_s: float) -> None:
        super().__init__("docker", timeout=within_s)
        self._path = path

    def connect(self) -> None:
        """Open the engine's socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def call_engine(host: str, method: str, path: str, within_s: float = _CALL_S) -> tuple[int, bytes]:
    """Call the Docker engine at `unix:///path`; return status and body. OSError if it does not answer."""
    return exchange(_SocketConnection(host.removeprefix("unix://"), within_s), method, path)


def list_resources(host: str, kind: str, label: str) -> list[DockerResource]:
    """Return the `containers`, `networks` or `volumes` that carry a label, ended containers included."""
    filters = quote(json.dumps({"label": [label]}))
    path = {"containers": "/containers/json"}.get(kind, f"/{kind}")
    status, body = call_engine(host, "GET", f"{path}?all=1&filters={filters}")
    if status != 200:
        raise OSError(f"the engine answered {status}: {body[:200].decode(errors='replace')}")
    content = json.loads(body)
    if kind == "volumes":
        content = content.get("Volumes") or []
    return list(content)


def take_down(engine: Mapping[str, str], run_id: str, within_s: float) -> list[str]:
    """Remove all that carries the run id; return a sentence for each thing that is left. Does not raise.

    `engine` is the content of engine.json. A CLI that may still create containers is killed first. All must be gone
    twice in a row, because a call that was under way when its caller died may still create a container.
    """
    deadline = time.monotonic() + within_s
    kill_run(run_id, min(2.0, within_s / 4))
    host = str(engine.get("docker_host", ""))
    labels = (f"{LABEL}={run_id}", f"{PROJECT_LABEL}={engine.get('project', run_id)}")
    logs = Path(engine["logs"]) if engine.get("logs") else None
    times_gone, left = 0, [f"The Docker engine at {host} was not asked."]
    while times_gone < 2 and time.monotonic() < deadline:
        try:
            left = _remove_all(host, labels, logs)
        except OSError as error:
            left = [f"The Docker engine at {host} does not answer: {error}."]
        times_gone = 0 if left else times_gone + 1
        time.sleep(_AGAIN_S)
    _make_removable(engine, max(deadline - time.monotonic(), 1.0))
    return left


def _remove_all(host: str, labels: tuple[str, ...], logs: Path | None) -> list[str]:
    """Remove everything with these labels, containers first; return a sentence for each thing that was there."""
    sentences = []
    for kind in _KINDS:
        rows = [row for label in labels for row in list_resources(host, kind, label)]
        by_id = {row.get("Id") or row["Name"]: row for row in rows}
        sentences += [f"{kind[:-1].capitalize()} {_name(row)} of the run is left." for row in by_id.values()]
        if kind == "containers" and logs is not None:
            _at_once([partial(_keep_log, host, name, logs / f"{_service(row)}.log") for name, row in by_id.items()])
        paths = [f"/{kind}/{quote(name, safe='')}{_FORCED.get(kind, '')}" for name in by_id]
        _at_once([partial(call_engine, host, "DELETE", path) for path in paths])
    return sentences


def _name(row: DockerResource) -> str:
    names = row.get("Names") or [row.get("Name", "")]
    return names[0].lstrip("/")


def _service(row: DockerResource) -> str:
    return (row.get("Labels") or {}).get(SERVICE_LABEL) or _name(row)


def _at_once(calls: list[Callable[[], object]]) -> None:
    """Make calls to the engine side by side; one that fails is made again in the next round."""
    threads = [threading.Thread(target=_ignoring_errors, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_CALL_S + 2)


def _ignoring_errors(call: Callable[[], object]) -> None:
    with suppress(OSError):
        call()


def _keep_log(host: str, container: str, target: Path) -> None:
    """Write a container's output to `target`, unless that is there already."""
    if target.exists() or not target.parent.is_dir():
        return
    path = f"/containers/{container}/logs?stdout=1&stderr=1&tail={_LOG_LINES}"
    status, body = call_engine(host, "GET", path, _LOG_S)
    if status == 200:
        target.write_bytes(without_frames(body))


def without_frames(stream: bytes) -> bytes:
    """Return a log without the 8-byte frames (stream, three zeros, length) of a container that has no terminal."""
    parts, at = [], 0
    while at + 8 <= len(stream) and stream[at] in (0, 1, 2) and stream[at + 1 : at + 4] == b"\0\0\0":
        size = int.from_bytes(stream[at + 4 : at + 8], "big")
        parts.append(stream[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts) if parts else stream


def _make_removable(engine: Mapping[str, str], within_s: float) -> None:
    """Make what containers wrote into the work folder, as users of their own, removable for us; root needs nothing."""
    if os.geteuid() == 0 or not engine.get("image"):
        return
    argv = [engine["cli"], "run", "--rm", "--network", "none", "--user", "0:0", "--entrypoint", "chmod"]
    argv += ["-v", f"{engine['work']}:/work", engine["image"], "-R", "a+rwX", "/work"]
    environment = {**os.environ, "DOCKER_HOST": str(engine.get("docker_host", ""))}
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s)
