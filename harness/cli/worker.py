"""tocsin worker: plays a share of the load of a `tocsin run` on another machine."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.harness.traffic.worker_pool import RemoteWorkers

PORT = 5557
"""Where a master listens for workers elsewhere unless told otherwise; Locust's own default."""
_END_S = 5.0
_AGAIN_S = 1.0


def worker(
    master: Annotated[
        str, typer.Option("--master", metavar="HOST[:PORT]", help=f"Where `tocsin run` listens (port {PORT}).")
    ],
    once: Annotated[bool, typer.Option("--once", help="End after one run instead of waiting for the next.")] = False,
) -> int:
    """Play a share of the load of a `tocsin run --remote-workers N` elsewhere.

    Both sides need the same token in TOCSIN_WORKER_TOKEN.
    """
    from tocsin.harness.cli.console import say
    from tocsin.harness.core.errors import PASS, USAGE

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
    from tocsin.harness.core.errors import Mistake, UsageError

    host, mark, port = value.partition(":")
    number = port if mark else str(PORT)
    if not host or not number.isdigit() or not 0 < int(number) < 65536:
        raise UsageError([Mistake(file=option, line=0, where="place", value=value, expected="HOST or HOST:PORT")])
    return f"{host}:{number}"


def _resolve(where: str) -> None:
    """UsageError if this machine knows no host of that name."""
    from tocsin.harness.core.errors import Mistake, UsageError

    host = where.rpartition(":")[0]
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        hint = f"{error}."
        expected = "a host that this machine can find"
        raise UsageError(
            [Mistake(file="--master", line=0, where="host", value=host, expected=expected, hint=hint)]
        ) from None


def token() -> str:
    """Return the token that master and workers share; UsageError if the environment has none."""
    from tocsin.harness.core.errors import Mistake, UsageError
    from tocsin.harness.traffic.worker_pool import TOKEN

    found = os.environ.get(TOKEN, "")
    if len(found) < _TOKEN_CHARACTERS:
        hint = "Set the same secret on both sides; strangers must not join, nor send you a load to play."
        expected = f"a secret of at least {_TOKEN_CHARACTERS} characters"
        value = "nothing" if not found else f"{len(found)} characters"
        raise UsageError([Mistake(file=TOKEN, line=0, where="token", value=value, expected=expected, hint=hint)])
    return found


_TOKEN_CHARACTERS = 16


def _one_run(where: str) -> int:
    """Start a worker process and wait for its end; it ends with us."""
    from tocsin.harness.engines.common.child_processes import PROJECT

    path = os.pathsep.join(part for part in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if part)
    argv = [sys.executable, "-m", "tocsin.harness.traffic.locust.worker", where]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    try:
        return process.wait()
    finally:
        assert process.stdin
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
