"""Fills `{placeholders}` of stack.yaml: where things lie in this run, their addresses, times divided by its speed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.provisioning.program_lookup import Program

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::([^{}]*))?\}")
KNOWN = (
    "{program} {modules} {python} {stack} {config} {work} {data} {run_id} {port} {port:NAME} {address:ROLE} "
    "{address:ROLE:PORT} {duration:1m} {seconds:60s}"
)


@dataclass(frozen=True, kw_only=True)
class Places:
    """What placeholders stand for in one run. `ports` is role -> port name -> the real port on 127.0.0.1."""

    stack: Stack
    work: Path
    run_id: str
    speed: float
    ports: Mapping[str, Mapping[str, int]]
    programs: Mapping[str, Program] = field(default_factory=dict)
    edges: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(caller, role called) -> the port of the proxy that stands between them; the others call directly."""
    proxy_control: int = 0

    @property
    def config(self) -> Path:
        """The rendered configuration."""
        return self.work / "config"

    def data(self, role: str) -> Path:
        """The folder of a role."""
        return self.work / role

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role, its primary port by default; StackError for one that does not run here.

        With `caller`: where that role (or `clients`) reaches it, since a proxy may stand before its primary port.
        """
        name = self.port_name(role, port)
        return f"127.0.0.1:{self.proxy_port(role, name, caller) or self.ports[role][name]}"

    def port_name(self, role: str, port: str | None) -> str:
        """Return the name of a role's port, None standing for the primary one; StackError if there is none."""
        ports = self.ports.get(role)
        if ports is None:
            raise StackError(f"Role {role!r} does not run here; those that do: {', '.join(self.ports)}.")
        name = port or self.stack.roles[role].primary
        if name not in ports:
            raise StackError(f"Role {role!r} has no port {name!r}; it has {', '.join(ports)}.")
        return name

    def proxy_port(self, role: str, port: str, caller: str | None) -> int | None:
        """Return the port of the proxy between a caller and a role's port; None where none stands."""
        if caller is None or port != self.stack.roles[role].primary:
            return None
        return self.edges.get((caller, role))

    def program(self, role: str) -> Program | None:
        """Return the program that a role runs, None for one of ours."""
        local = self.stack.roles[role].local
        return self.programs.get(local.program) if local and local.program else None

    def addresses(self) -> Mapping[str, Mapping[str, str]]:
        """Return role -> port name -> address, for every role that runs here."""
        return {role: {port: self.address(role, port) for port in ports} for role, ports in self.ports.items()}

    def paths(self) -> dict[str, str]:
        """Return declared path -> where it lies in this run, for every path that rendered files name."""
        return {name: self.fill(place) for name, place in self.stack.paths.items()}

    def rule_roots(self) -> tuple[str, ...]:
        """Return the folders below which rule files with an absolute path may lie."""
        return (str(self.config),)

    def reader(self, folder: str) -> str | None:
        """Return the role that is started with files of a rendered folder: it is the caller of what they name."""
        for name, role in self.stack.roles.items():
            if role.local is None:
                continue
            if any(f"{{config}}/{folder}/" in text for text in (*role.local.argv, *role.local.copy_files)):
                return name
        return None

    def fill(self, text: str, role: str | None = None) -> str:
        """Return `text` with every placeholder filled in, those of `role` too if one is given.

        StackError names a placeholder that nobody knows, or that means nothing here.
        """
        return _PLACEHOLDER.sub(lambda match: self._value(match, role), text)

    def _value(self, match: re.Match[str], role: str | None) -> str:
        name, argument = match.group(1), match.group(2)
        if argument is not None:
            value = self._with_argument(name, argument, role)
        elif role is None:
            value = self._of_run(name)
        else:
            value = self._of_run(name) or self._of_role(name, role)
        if value is None:
            where = f" of role {role!r}" if role else ""
            raise StackError(f"stack.yaml{where} says {match.group(0)}; expected one of {KNOWN}.", hint="Correct it.")
        return value

    def _of_run(self, name: str) -> str | None:
        return {
            "python": sys.executable,
            "stack": str(self.stack.folder.absolute()),
            "config": str(self.config),
            "work": str(self.work),
            "run_id": self.run_id,
        }.get(name)

    def _of_role(self, name: str, role: str) -> str | None:
        if name == "data":
            return str(self.data(role))
        if name == "port":
            return self.address(role).rpartition(":")[2]
        program = self.program(role)
        if name == "program" and program:
            return str(program.path)
        if name == "modules" and program and program.modules:
            return str(program.modules)
        return None

    def _with_argument(self, name: str, argument: str, role: str | None) -> str | None:
        if name == "address":
            other, _, port = argument.partition(":")
            return self.address(other, port or None, caller=role)
        if name == "port" and role is not None:
            return self.address(role, argument).rpartition(":")[2]
        if name not in ("duration", "seconds"):
            return None
        try:
            seconds = parse_duration(argument) / self.speed
        except ValueError as error:
            raise StackError(f"stack.yaml says {{{name}:{argument}}}: {error}.") from None
        if name == "seconds":
            return f"{seconds:.6g}"
        return format_duration(max(seconds, 0.001))
