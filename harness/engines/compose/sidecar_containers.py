"""The containers that Tocsin adds to a stack: the pager and the proxies, in a plain Python image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import tocsin
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.compose_validation import ComposeDict, published
from tocsin.harness.engines.compose.container_places import PROXY
from tocsin.harness.engines.render.stack_files import PAGER

CODE = "tocsin"
"""The folder of our own code: in the work folder, and mounted at the root of our containers."""
PYTHON_IMAGE = "python:3.13-slim"
"""The image of our own containers. PYTHON_IMAGE in the environment names another, with Python 3.10 or later."""
_RECORDS = "/records"
_MEMORY = "128m"


def python_image(environ: Mapping[str, str] = os.environ) -> str:
    """Return the image of our own containers."""
    return environ.get("PYTHON_IMAGE") or PYTHON_IMAGE


def copy_code(work: Path) -> None:
    """Copy the code of our containers into the work folder, readable by everybody."""
    package = Path(tocsin.__file__).parent
    target = work / CODE / package.name
    ignored = shutil.ignore_patterns("__pycache__", "*.md")
    shutil.copytree(package / "harness" / "sidecars", target / "harness" / "sidecars", ignore=ignored)
    for name in ("__init__.py", "harness/__init__.py"):
        shutil.copyfile(package / name, target / name)
    for path in (work / CODE, *(work / CODE).rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def pager(places: Places, image: str, user: str) -> ComposeDict:
    """Return the service that receives every notification; its record is in `<work>/pager`."""
    port = places.stack.roles[PAGER].ports[places.stack.roles[PAGER].primary]
    argv = ["-m", "tocsin.harness.sidecars.pager", "--host", "0.0.0.0", "--port", str(port)]
    argv += ["--record", f"{_RECORDS}/notifications.jsonl", "--faults"]
    record = {"type": "bind", "source": str(places.data(PAGER)), "target": _RECORDS}
    return {**_service(argv, image, user), "volumes": [record]}


def proxies(places: Places, image: str, user: str) -> ComposeDict:
    """Return the service on every edge of the plan, with a port for each edge and one for its control."""
    argv = ["-m", "tocsin.harness.sidecars.proxy", "--host", "0.0.0.0", "--control", str(places.proxy_control)]
    for (caller, called), port in places.edges.items():
        declared = places.stack.roles[called]
        argv += ["--edge", f"{caller} -> {called}", str(port), f"{called}:{declared.ports[declared.primary]}"]
    ports = [published(number, number) for number in (*places.edges.values(), places.proxy_control)]
    return {**_service(argv, image, user), "ports": ports, "hostname": PROXY}


def _service(argv: list[str], image: str, user: str) -> ComposeDict:
    return {
        "image": image,
        "pull_policy": "never",
        "entrypoint": ["python3", *argv],
        "command": [],
        "working_dir": f"/{CODE}",
        "environment": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        "user": user,
        "init": True,
        "restart": "no",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": _MEMORY,
        "memswap_limit": _MEMORY,
    }
