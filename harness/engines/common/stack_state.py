"""What `<work>/stack.json` holds: enough for another process to reach, end and restart the roles of a stack."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from pydantic import TypeAdapter

from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel.foreign_process import start_time
from tocsin.harness.provisioning.program_lookup import Program

NAME = "stack.json"
_PROGRAMS = TypeAdapter(dict[str, Program])


class StackState(TypedDict, total=False):
    """The content. `addresses` and `pids` are for readers too, the rest is for `places_in` and the engines.

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
    ports: Mapping[str, Mapping[str, int]]
    edges: list[tuple[str, str, int]]
    proxy_control: int
    programs: dict[str, Any]
    pids: dict[str, int]
    began: dict[str, str]
    disks: dict[str, str]
    groups: dict[str, str]
    write_groups: dict[str, str]
    written: dict[str, Any]


def described(engine: str, places: Places, *, folder: Path, pids: dict[str, int]) -> StackState:
    """Return what every engine writes down. `folder` is the run directory."""
    return {
        "engine": engine,
        "run_id": places.run_id,
        "speed": places.speed,
        "folder": str(folder),
        "stack": str(places.stack.folder.absolute()),
        "declared": places.stack.model_dump(mode="json", by_alias=True),
        "addresses": places.addresses(),
        "ports": places.ports,
        "edges": [(caller, called, port) for (caller, called), port in places.edges.items()],
        "proxy_control": places.proxy_control,
        "programs": _PROGRAMS.dump_python(dict(places.programs), mode="json"),
        "pids": pids,
        "began": {role: start_time(pid) for role, pid in pids.items()},
    }


def places_in(content: StackState, work: Path) -> Places:
    """Return the places that `described` wrote down; KeyError, TypeError or ValueError where something is missing."""
    return Places(
        stack=Stack.model_validate(content["declared"]).at(Path(content["stack"])),
        work=work,
        run_id=content["run_id"],
        speed=float(content["speed"]),
        ports=content["ports"],
        programs=_PROGRAMS.validate_python(content["programs"]),
        edges={(caller, called): port for caller, called, port in content["edges"]},
        proxy_control=int(content["proxy_control"]),
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
