"""tocsin worker: sends a share of the load of a `tocsin run` on another machine."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli.console import say
from tocsin.harness.cli.usage_errors import usage_error
from tocsin.harness.core.errors import PASS, USAGE

if TYPE_CHECKING:
    from tocsin.harness.traffic.worker_pool import RemoteWorkers

PORT = 5557
"""The default port on which a master listens for workers elsewhere; Locust's own default."""
_END_S = 5.0
_AGAIN_S = 1.0
_TOKEN_CHARACTERS = 16


def worker(
    master: Annotated[
        str, typer.Option("--master", metavar="HOST[:PORT]", help=f"Where `tocsin run` listens (port {PORT}).")
    ],
    once: Annotated[bool, typer.Option("--once", help="End after one run instead of waiting for the next.")] = False,
) -> int:
    """Send a share of the load of a run on another machine.

    For `tocsin run --remote-workers N`. Both sides need the same secret in TOCSIN_WORKER_TOKEN.
    """
    where, _ = place("--master", master), token()
    _resolve(where)
    while True:
        say(f"Waiting for a master at {where}.")
        code = _one_run(where)
        if code == PASS:
            say("The run is over.")
        if once or code == USAGE:
            return code
        time.sleep(_AGAIN_S)


def remote(workers: int, bind: str) -> RemoteWorkers:
    """Return what `--remote-workers` and `--bind` say; UsageError for a wrong place or no token."""
    from tocsin.harness.traffic.worker_pool import RemoteWorkers

    if not workers:
        return RemoteWorkers()
    return RemoteWorkers(workers=workers, bind=place("--bind", bind), token=token())


def place(option: str, value: str) -> str:
    """Return `HOST:PORT`; a host alone gets the usual port. UsageError for anything else."""
    host, colon, port = value.partition(":")
    if not colon:
        port = str(PORT)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise usage_error(option, value, "HOST or HOST:PORT")
    return f"{host}:{port}"


def _resolve(where: str) -> None:
    """Raise UsageError if this machine knows no host of that name."""
    host = where.rpartition(":")[0]
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise usage_error("--master", host, "a host that this machine can find", f"{error}.") from None


def token() -> str:
    """Return the token that master and workers share; UsageError if the environment has none."""
    from tocsin.harness.traffic.worker_pool import TOKEN

    secret = os.environ.get(TOKEN, "")
    if len(secret) < _TOKEN_CHARACTERS:
        hint = "Set the same secret on both sides, so that no stranger can join or send a load to play."
        expected = f"a secret of at least {_TOKEN_CHARACTERS} characters"
        raise usage_error(TOKEN, f"{len(secret)} characters", expected, hint, place="environment")
    return secret


def _one_run(where: str) -> int:
    """Start a worker process and wait for its end; it ends with us."""
    from tocsin.harness.engines.common.child_processes import PROJECT
    from tocsin.harness.traffic.load_processes import end_process

    path = os.pathsep.join(part for part in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if part)
    argv = [sys.executable, "-m", "tocsin.harness.traffic.locust.worker", where]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    try:
        return process.wait()
    finally:
        assert process.stdin
        with contextlib.suppress(OSError):
            process.stdin.close()
        end_process(process, _END_S)
