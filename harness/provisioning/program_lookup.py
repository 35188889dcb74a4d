"""Looks programs up on the PATH, in the cache and at ES_HOME, and asks each for its version."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.provisioning.program_manifest import MANIFEST, ProgramSpec

ROOT = Path("/")
NO_TRACES = "-XX:-UsePerfData"
"""Keeps a Java runtime from leaving a folder in the temporary folder."""
_VERSION_TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program in a version that fits. `origin` is PATH, cache or ES_HOME.

    `environment` is what it needs to run; `modules` is the folder for rsyslogd's -M, None when it finds its own.
    """

    name: str
    version: str
    path: Path
    origin: str
    environment: Mapping[str, str] = field(default_factory=dict)
    modules: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A program that is not here. `seen` holds a sentence for each candidate that does not fit."""

    name: str
    wanted: str
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.seen:
            return self.wanted
        return f"{self.wanted} (seen: {'; '.join(self.seen)})"


class _Unfit(Exception):
    """A candidate does not fit; the message says why."""


def look_up_all(names: Iterable[str], cache: Path) -> dict[str, Program | Absent]:
    """Look up several programs side by side."""
    wanted = tuple(dict.fromkeys(names))
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(lambda name: look_up(name, cache), wanted), strict=True))


def look_up(name: str, cache: Path) -> Program | Absent:
    """Return the first candidate that fits, else what the candidates are instead."""
    spec = MANIFEST.get(name)
    if spec is None:
        return Absent(name=name, wanted=f"{name}, which is not one of {', '.join(MANIFEST)}")
    examine = _examine_elasticsearch if name == "elasticsearch" else _examine
    seen: list[str] = []
    for path, origin in _candidates(spec, cache):
        try:
            return examine(spec, path, origin, cache)
        except _Unfit as reason:
            seen.append(str(reason))
    return Absent(name=name, wanted=spec.wanted, seen=tuple(seen))


def _candidates(spec: ProgramSpec, cache: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, origin); ES_HOME, where it is set, is the only one for Elasticsearch."""
    home = os.environ.get("ES_HOME")
    if home and spec.name == "elasticsearch":
        yield Path(home, "bin", "elasticsearch"), "ES_HOME"
        return
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    on_path = [Path(folder, binary) for folder in folders for binary in (spec.name, *spec.aliases)]
    beside = [path for pattern in spec.beside for path in sorted(ROOT.glob(pattern))]
    for path in dict.fromkeys((*on_path, *beside)):
        if os.path.isfile(path) and os.access(path, os.X_OK):  # a folder one may not read is no error
            yield path, "PATH"
    for path in sorted((cache / spec.bundle).glob(spec.cached)):
        yield path, "cache"


def _examine(spec: ProgramSpec, path: Path, origin: str, cache: Path) -> Program:
    """Return the program at `path`; _Unfit if its version or its modules do not fit."""
    environment: dict[str, str] = {}
    modules = None
    if origin == "cache":
        tree = cache / spec.bundle
        environment = libraries(tree)
        modules = _modules_folder(spec, path, sorted(tree.glob("usr/lib/**/rsyslog")))
    else:  # rsyslogd of the system finds its own modules
        _modules_folder(spec, path, _system_module_folders(path))
    version = _version_of(spec, path, environment)
    if version is None:
        raise _Unfit(f"{path} does not tell its version")
    if not spec.fits(version):
        raise _Unfit(f"{path} is {version}")
    return Program(name=spec.name, version=version, path=path, origin=origin, environment=environment, modules=modules)


def _modules_folder(spec: ProgramSpec, path: Path, folders: list[Path]) -> Path | None:
    """Return the folder that holds every module the program must have, None if it needs none; else _Unfit."""
    if not spec.modules:
        return None
    for folder in folders:
        if all(_has_module(folder, module) for module in spec.modules):
            return folder
    lacking = [module for module in spec.modules if not any(_has_module(folder, module) for folder in folders)]
    raise _Unfit(f"{path} lacks {', '.join(lacking)}")


def _has_module(folder: Path, module: str) -> bool:
    return (folder / f"{module}.so").is_file()


def _system_module_folders(rsyslogd: Path) -> list[Path]:
    prefix = rsyslogd.resolve().parent.parent
    return [folder for pattern in ("lib/rsyslog", "lib64/rsyslog", "lib/*/rsyslog") for folder in prefix.glob(pattern)]


def _version_of(spec: ProgramSpec, path: Path, environment: Mapping[str, str]) -> str | None:
    try:
        environment = {"JDK_JAVA_OPTIONS": NO_TRACES, **environment}
        done = run_program([str(path), spec.version_flag], environment, timeout_s=_VERSION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return spec.version_in(done.stdout) if done.returncode == 0 else None


def run_program(
    argv: Sequence[str], environment: Mapping[str, str], *, timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without input; `stdout` of the result holds both streams. OSError, or subprocess.TimeoutExpired."""
    return subprocess.run(
        argv,
        env={**os.environ, **environment},
        cwd=cwd,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def libraries(tree: Path) -> dict[str, str]:
    """Return the environment that lets programs in a tree of unpacked packages find the libraries beside them."""
    folders = [folder for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*") for folder in sorted(tree.glob(pattern))]
    holding = [str(folder) for folder in folders if any(folder.glob("*.so*"))]
    return {"LD_LIBRARY_PATH": ":".join(holding)} if holding else {}


def _examine_elasticsearch(spec: ProgramSpec, path: Path, origin: str, cache: Path) -> Program:
    """Return the Elasticsearch at `path` with a Java to run on; _Unfit if either does not fit."""
    home = path.resolve().parent.parent
    version = _elasticsearch_version(home)
    if version is None or not os.path.isfile(path) or not spec.fits(version):
        holds = f"version {version}" if version else "no Elasticsearch"
        advice = "; unset ES_HOME or point it at a fitting one" if origin == "ES_HOME" else ""
        raise _Unfit(f"{origin} {home} holds {holds}{advice}")
    environment: dict[str, str] = {}
    if not (home / "jdk").is_dir():
        java = look_up("java", cache)
        if isinstance(java, Absent):
            raise _Unfit(f"{path} needs {java}")
        environment = {"ES_JAVA_HOME": str(java_home(java)), **java.environment}
    return Program(name=spec.name, version=version, path=path, origin=origin, environment=environment)


def _elasticsearch_version(home: Path) -> str | None:
    # Asking the program itself takes a Java start of some seconds; its main archive bears the version too.
    for path in home.glob("lib/elasticsearch-*.jar"):
        if match := re.fullmatch(r"elasticsearch-(\d[\d.]*)\.jar", path.name):
            return match.group(1)
    return None


def java_home(java: Program) -> Path:
    """Return the runtime's folder, also when `java` is a wrapper that only starts it."""
    home = java.path.resolve().parent.parent
    if (home / "lib" / "jvm.cfg").is_file():
        return home
    argv = [str(java.path), "-XshowSettings:properties", "-version"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False)
    match = re.search(r"java\.home = (.+)", done.stderr + done.stdout)
    return Path(match.group(1).strip()) if match else home
