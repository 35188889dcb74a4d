"""Finds the Docker engine of this machine and its CLI; refuses a remote engine and Compose v1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import MissingProgram, StackError

_LOCAL = ("unix://", "npipe://")
_ASK_S = 15.0
_ERROR_LINES = 12
_OR_LOCAL = "or play with `--engine local`."
_UNWANTED = ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES", "DOCKER_CONTEXT")


class CliFailed(StackError):
    """A docker command failed; the message holds its last lines."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """A Docker engine of this machine. `cli` is the program, `host` the socket, `environment` is for the CLI.

    `compose` and `engine` are versions. `root_on_host`: we are root on the kernel that its containers run on.
    """

    cli: str
    host: str
    compose: str
    engine: str
    rootless: bool = False
    root_on_host: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, argv: Sequence[str], *, within_s: float, log: Path | None = None, cwd: Path | None = None) -> str:
        """Run `docker ARGV...` and return its output; both streams are appended to `log`.

        CliFailed with its last lines if it fails or takes longer. Its session of its own keeps Ctrl-C from it.
        """
        return _run([self.cli, *argv], self.environment, within_s=within_s, log=log, cwd=cwd)


def find_docker(environ: Mapping[str, str] = os.environ) -> Docker:
    """Return the engine that the docker CLI uses; MissingProgram or StackError say what does not fit."""
    given = dict(environ)
    cli = shutil.which("docker", path=given.get("PATH"))
    if cli is None:
        raise MissingProgram(
            "There is no `docker` on the PATH.", hint=f"Install a Docker engine with Compose v2, {_OR_LOCAL}"
        )
    host = _host(cli, given)
    if not host.startswith(_LOCAL):
        raise StackError(
            f"The Docker engine is at {host}, on another machine; a drill binds loopback ports of this one.",
            hint="Unset DOCKER_HOST or choose a local `docker context`.",
        )
    environment = {name: value for name, value in given.items() if name not in _UNWANTED} | {"DOCKER_HOST": host}
    compose = _compose_version(cli, environment)
    info = _info(cli, environment, host)
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    return Docker(
        cli=cli,
        host=host,
        compose=compose,
        engine=str(info.get("ServerVersion", "")),
        rootless=rootless,
        root_on_host=os.geteuid() == 0 and not rootless and info.get("KernelVersion") == os.uname().release,
        environment=environment,
    )


def _host(cli: str, environ: Mapping[str, str]) -> str:
    if host := environ.get("DOCKER_HOST"):
        return host
    try:
        text = _run([cli, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], environ, within_s=_ASK_S)
    except CliFailed:
        text = ""
    return text.strip() or "unix:///var/run/docker.sock"


def _compose_version(cli: str, environ: Mapping[str, str]) -> str:
    try:
        version = _run([cli, "compose", "version", "--short"], environ, within_s=_ASK_S).strip().lstrip("v")
    except CliFailed:
        raise MissingProgram(
            f"{cli} has no `compose` command; docker-compose 1 is not enough.",
            hint=f"Install the Compose v2 plugin, {_OR_LOCAL}",
        ) from None
    if version.partition(".")[0] in ("", "0", "1"):
        raise MissingProgram(f"Compose is {version or 'of no known version'}; expected 2 or later.", hint="Update it.")
    return version


def _info(cli: str, environ: Mapping[str, str], host: str) -> dict[str, Any]:
    try:
        content = json.loads(_run([cli, "info", "--format", "{{json .}}"], environ, within_s=_ASK_S))
    except (CliFailed, ValueError):
        content = {}
    if not content.get("ServerVersion"):
        errors = " ".join(content.get("ServerErrors") or ["no answer"])
        raise MissingProgram(
            f"The Docker engine at {host} cannot be used: {errors}.",
            hint=f"Start it, or be allowed to use its socket, {_OR_LOCAL}",
        )
    return dict(content)


def _run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    within_s: float,
    log: Path | None = None,
    cwd: Path | None = None,
) -> str:
    command = " ".join(("docker", *argv[1:3]))
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as late:
        _append(log, str(late.stdout or ""), str(late.stderr or ""))
        raise CliFailed(f"`{command}` did not end within {within_s:g} s.", hint="See stack-logs/compose.log.") from None
    except OSError as error:
        raise CliFailed(f"`{command}` cannot be run: {error}.") from None
    _append(log, done.stdout, done.stderr)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-_ERROR_LINES:]
        raise CliFailed(
            f"`{command}` ended with status {done.returncode}:\n" + "\n".join(f"  {line}" for line in lines)
        )
    return done.stdout


def _append(log: Path | None, *texts: str) -> None:
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.writelines(texts)
