"""The containers that Tocsin brings itself: the pager and the proxies, in a plain Python image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tocsin
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.container_places import PROXY
from tocsin.harness.engines.render.stack_files import PAGER

CODE = "tocsin"
"""The folder of our own modules: in the work folder, and mounted at the root of our containers."""
PYTHON_IMAGE = "python:3.13-slim"
"""Any image with Python 3.10 or later will do; PYTHON_IMAGE names another."""
_RECORDS = "/records"
_MEMORY = "128m"


def python_image(environ: Mapping[str, str] | None = None) -> str:
    """Return the image of our own containers."""
    return (os.environ if environ is None else environ).get("PYTHON_IMAGE") or PYTHON_IMAGE


def copy_code(work: Path) -> None:
    """Copy what our containers run into the work folder, readable by everybody."""
    package = Path(tocsin.__file__).parent
    target = work / CODE / package.name
    ignored = shutil.ignore_patterns("__pycache__", "*.md")
    shutil.copytree(package / "harness" / "sidecars", target / "harness" / "sidecars", ignore=ignored)
    for name in ("__init__.py", "harness/__init__.py"):
        shutil.copyfile(package / name, target / name)
    for place in (work / CODE, *(work / CODE).rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)


def pager(places: Places, image: str, user: str) -> dict[str, Any]:
    """Return the service that receives every notification; its record lies in `<work>/pager`."""
    port = places.stack.roles[PAGER].ports[places.stack.roles[PAGER].primary]
    argv = ["-m", "tocsin.harness.sidecars.pager", "--host", "0.0.0.0", "--port", str(port)]
    argv += ["--record", f"{_RECORDS}/notifications.jsonl", "--faults"]
    record = {"type": "bind", "source": str(places.data(PAGER)), "target": _RECORDS}
    return {**_plain(argv, image, user), "volumes": [record]}


def proxies(places: Places, image: str, user: str) -> dict[str, Any]:
    """Return the service that stands on every edge of the plan; each edge has a port, and the control has one."""
    argv = ["-m", "tocsin.harness.sidecars.proxy", "--host", "0.0.0.0", "--control", str(places.proxy_control)]
    for (caller, called), port in places.edges.items():
        declared = places.stack.roles[called]
        argv += ["--edge", f"{caller} -> {called}", str(port), f"{called}:{declared.ports[declared.primary]}"]
    numbers = [*places.edges.values(), places.proxy_control]
    ports = [{"target": number, "published": str(number), "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "ingress"}
             for number in numbers]  # fmt: skip
    return {**_plain(argv, image, user), "ports": ports, "hostname": PROXY}


def _plain(argv: list[str], image: str, user: str) -> dict[str, Any]:
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
