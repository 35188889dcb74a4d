"""Finds the Docker engine of this machine and its CLI; refuses a remote engine and Compose v1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from tocsin.harness.core.errors import MissingProgram, StackError

_LOCAL = ("unix://", "npipe://")
_ASK_S = 15.0
_ERROR_LINES = 12
_OR_LOCAL = "or play with `--engine local`."
_UNWANTED = ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES", "DOCKER_CONTEXT")


class CliFailed(StackError):
    """A docker command failed; the message holds its last lines."""


class _Info(TypedDict, total=False):
    ServerVersion: str
    KernelVersion: str
    SecurityOptions: list[str] | None
    ServerErrors: list[str] | None


@dataclass(frozen=True, kw_only=True)
class Docker:
    """A Docker engine of this machine. `cli` is the program, `host` the socket, `environment` is for the CLI.

    `compose` and `engine` are versions. `root_on_host`: we are root on the kernel that its containers run on.
    """

    cli: str
    host: str = ""
    compose: str = ""
    engine: str = ""
    rootless: bool = False
    root_on_host: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, argv: Sequence[str], *, within_s: float = _ASK_S, log: Path | None = None) -> str:
        """Run `docker ARGV...` and return its output; both streams are appended to `log`.

        CliFailed with its last lines if it fails or takes longer. Ctrl-C does not reach it: it is in another session.
        """
        command = " ".join(("docker", *argv[:2]))
        try:
            done = subprocess.run(
                [self.cli, *argv],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=within_s,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as late:
            _append(log, str(late.stdout or ""), str(late.stderr or ""))
            message = f"`{command}` did not end within {within_s:g} s."
            raise CliFailed(message, hint="See stack-logs/compose.log.") from None
        except OSError as error:
            raise CliFailed(f"`{command}` cannot be run: {error}.") from None
        _append(log, done.stdout, done.stderr)
        if done.returncode:
            lines = [f"  {line}" for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            reason = "\n".join(lines[-_ERROR_LINES:])
            raise CliFailed(f"`{command}` ended with status {done.returncode}:\n{reason}")
        return done.stdout


def _append(log: Path | None, *texts: str) -> None:
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.writelines(texts)


def find_docker(environ: Mapping[str, str] = os.environ) -> Docker:
    """Return the engine that the docker CLI uses; MissingProgram or StackError say what does not fit."""
    cli = shutil.which("docker", path=environ.get("PATH"))
    if cli is None:
        hint = f"Install a Docker engine with Compose v2, {_OR_LOCAL}"
        raise MissingProgram("There is no `docker` on the PATH.", hint=hint)
    host = environ.get("DOCKER_HOST") or _host_of_context(Docker(cli=cli, environment=environ))
    if not host.startswith(_LOCAL):
        message = f"The Docker engine is at {host}, on another machine; a drill binds loopback ports of this one."
        raise StackError(message, hint="Unset DOCKER_HOST or choose a local `docker context`.")
    environment = {name: value for name, value in environ.items() if name not in _UNWANTED} | {"DOCKER_HOST": host}
    docker = Docker(cli=cli, host=host, environment=environment)
    compose, info = _compose_version(docker), _info(docker)
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    root_on_host = os.geteuid() == 0 and not rootless and info.get("KernelVersion") == os.uname().release
    engine = info.get("ServerVersion", "")
    return replace(docker, compose=compose, engine=engine, rootless=rootless, root_on_host=root_on_host)


def _host_of_context(docker: Docker) -> str:
    try:
        host = docker.run(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).strip()
    except CliFailed:
        host = ""
    return host or "unix:///var/run/docker.sock"


def _compose_version(docker: Docker) -> str:
    try:
        version = docker.run(["compose", "version", "--short"]).strip().lstrip("v")
    except CliFailed:
        message = f"{docker.cli} has no `compose` command; docker-compose 1 is not enough."
        raise MissingProgram(message, hint=f"Install the Compose v2 plugin, {_OR_LOCAL}") from None
    if version.partition(".")[0] in ("", "0", "1"):
        raise MissingProgram(f"Compose is {version or 'of no known version'}; expected 2 or later.", hint="Update it.")
    return version


def _info(docker: Docker) -> _Info:
    try:
        content: _Info = json.loads(docker.run(["info", "--format", "{{json .}}"]))
    except (CliFailed, ValueError):
        content = {}
    if not content.get("ServerVersion"):
        errors = " ".join(content.get("ServerErrors") or ["no answer"])
        hint = f"Start it, or be allowed to use its socket, {_OR_LOCAL}"
        raise MissingProgram(f"The Docker engine at {docker.host} cannot be used: {errors}.", hint=hint)
    return content
