"""What `<work>/stack.json` holds: enough for another process to reach, end and restart the roles of a stack."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel.foreign_process import start_time
from tocsin.harness.provisioning.program_lookup import Program

NAME = "stack.json"


class ProgramState(TypedDict):
    """A Program, its paths as text."""

    name: str
    version: str
    path: str
    origin: str
    environment: dict[str, str]
    modules: str | None


class StackState(TypedDict, total=False):
    """The content. An engine writes what it needs; `addresses` and `pids` are for readers, too.

    `began` holds when each process began, so that another one that got its pid later is not taken for it. `written` is
    the content of engine.json under Compose; `disks`, `groups` and `write_groups` are paths on the local engine.
    """

    engine: str
    run_id: str
    speed: float
    folder: str
    stack: str
    declared: dict[str, Any]
    addresses: Mapping[str, Mapping[str, str]]
    ports: dict[str, dict[str, int]]
    edges: list[tuple[str, str, int]]
    proxy_control: int
    programs: dict[str, ProgramState]
    pids: dict[str, int]
    began: dict[str, str]
    disks: dict[str, str]
    groups: dict[str, str]
    write_groups: dict[str, str]
    written: dict[str, Any]


def declared_in(engine: str, stack: Stack, run_id: str) -> StackState:
    """Return what every engine writes down: its name, the run and the stack."""
    return {
        "engine": engine,
        "run_id": run_id,
        "stack": str(stack.folder.absolute()),
        "declared": stack.model_dump(mode="json", by_alias=True),
    }


def stack_in(content: StackState) -> Stack:
    """Return the stack that `declared_in` wrote down; KeyError or ValueError where something is missing."""
    return Stack.model_validate(content["declared"]).at(Path(content["stack"]))


def described(engine: str, places: Places, *, folder: Path, pids: Mapping[str, int]) -> StackState:
    """Return what an engine that brings a stack up writes down; `places_in` reads it. `folder`: the run directory."""
    addresses = {role: {port: places.address(role, port) for port in ports} for role, ports in places.ports.items()}
    return {
        **declared_in(engine, places.stack, places.run_id),
        "speed": places.speed,
        "folder": str(folder),
        "addresses": addresses,
        "ports": {role: dict(ports) for role, ports in places.ports.items()},
        "edges": [(caller, called, port) for (caller, called), port in places.edges.items()],
        "proxy_control": places.proxy_control,
        "programs": {name: _program_state(program) for name, program in places.programs.items()},
        "pids": dict(pids),
        "began": {role: start_time(pid) for role, pid in pids.items()},
    }


def places_in(content: StackState, work: Path) -> Places:
    """Return the places that `described` wrote down; KeyError, TypeError or ValueError where something is missing."""
    return Places(
        stack=stack_in(content),
        work=work,
        run_id=content["run_id"],
        speed=float(content["speed"]),
        ports=content["ports"],
        programs={name: _program(program) for name, program in content["programs"].items()},
        edges={(caller, called): port for caller, called, port in content["edges"]},
        proxy_control=int(content["proxy_control"]),
    )


def _program_state(program: Program) -> ProgramState:
    return {
        "name": program.name,
        "version": program.version,
        "path": str(program.path),
        "origin": program.origin,
        "environment": dict(program.environment),
        "modules": str(program.modules) if program.modules else None,
    }


def _program(state: ProgramState) -> Program:
    return Program(
        name=state["name"],
        version=state["version"],
        path=Path(state["path"]),
        origin=state["origin"],
        environment=state["environment"],
        modules=Path(state["modules"]) if state["modules"] else None,
    )


def write_down(work: Path, content: StackState) -> None:
    """Replace stack.json in one step, so that nobody ever reads half of it."""
    fresh = work / f".stack-{os.getpid()}-{threading.get_ident()}.json"
    fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(fresh, work / NAME)


def read(work: Path) -> StackState:
    """Return the content of stack.json; OSError or ValueError if it is not there or torn."""
    content = json.loads((work / NAME).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{work / NAME} does not hold an object")
    return cast(StackState, content)


def folder_of(work: Path) -> Path:
    """Return the run directory of the stack with this work folder; one that does not exist if it is not recorded."""
    try:
        return Path(read(work)["folder"])
    except (OSError, ValueError, KeyError):
        return work / "no-run-directory"
