"""What `<work>/stack.json` holds of a local stack: enough for another process to reach, end and restart its roles."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel.foreign_process import began
from tocsin.harness.provisioning.program_lookup import Program

NAME = "stack.json"


def described(places: Places, *, folder: Path, pids: Mapping[str, int]) -> dict[str, Any]:
    """Return the content: `addresses` and `pids` for readers, the rest for `places_of`. `folder`: the run directory.

    `began` holds when each process began, so that another one that got its pid later is not taken for it.
    """
    return {
        "engine": "local",
        "run_id": places.run_id,
        "speed": places.speed,
        "folder": str(folder),
        "stack": str(places.stack.folder.absolute()),
        "declared": places.stack.model_dump(mode="json", by_alias=True),
        "addresses": {
            role: {port: f"127.0.0.1:{number}" for port, number in ports.items()}
            for role, ports in places.ports.items()
        },
        "ports": {role: dict(ports) for role, ports in places.ports.items()},
        "edges": [[caller, called, port] for (caller, called), port in places.edges.items()],
        "proxy_control": places.proxy_control,
        "programs": {name: _program(program) for name, program in places.programs.items()},
        "pids": dict(pids),
        "began": {role: began(pid) for role, pid in pids.items()},
    }


def _program(program: Program) -> dict[str, Any]:
    return {
        "name": program.name,
        "version": program.version,
        "path": str(program.path),
        "origin": program.origin,
        "environment": dict(program.environment),
        "modules": str(program.modules) if program.modules else None,
    }


def places_of(content: Mapping[str, Any], work: Path) -> Places:
    """Return the places that `described` wrote down; KeyError, TypeError or ValueError where something is missing."""
    return Places(
        stack=Stack.model_validate(content["declared"]).at(Path(content["stack"])),
        work=work,
        run_id=str(content["run_id"]),
        speed=float(content["speed"]),
        ports=content["ports"],
        programs={
            name: Program(
                **{
                    **program,
                    "path": Path(program["path"]),
                    "modules": Path(program["modules"]) if program["modules"] else None,
                }
            )
            for name, program in content["programs"].items()
        },
        edges={(caller, called): port for caller, called, port in content["edges"]},
        proxy_control=int(content["proxy_control"]),
    )


def write_down(work: Path, content: Mapping[str, Any]) -> None:
    """Replace stack.json in one step, so that nobody ever reads half of it."""
    fresh = work / f".stack-{os.getpid()}-{threading.get_ident()}.json"
    fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(fresh, work / NAME)


def read(work: Path) -> dict[str, Any]:
    """Return the content of stack.json; OSError or ValueError if it is not there or torn."""
    content = json.loads((work / NAME).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{work / NAME} does not hold an object")
    return content


def folder_of(work: Path) -> Path:
    """Return the run directory of the stack with this work folder; one that does not exist where nobody says."""
    try:
        return Path(str(read(work)["folder"]))
    except (OSError, ValueError, KeyError):
        return work / "no-run-directory"
