"""Looks for programs: on the PATH, in the cache, where ES_HOME points; every one is asked for its version."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tocsin.harness.provisioning.program_manifest import RECIPES, Recipe

ROOT = Path("/")
NO_TRACES = "-XX:-UsePerfData"
"""Keeps a Java runtime from leaving a folder in the temporary folder."""
_VERSION_TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that was found and answers with a fitting version. `origin` is PATH, cache or ES_HOME.

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
    """A program that was looked for in vain. `seen` says what was there instead, one sentence each."""

    name: str
    wanted: str
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.wanted + (f" (seen: {'; '.join(self.seen)})" if self.seen else "")


def look_all(names: Iterable[str], cache: Path) -> dict[str, Program | Absent]:
    """Look for several programs at once; each answers in a process of its own."""
    wanted = tuple(dict.fromkeys(names))
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(lambda name: look(name, cache), wanted), strict=True))


def look(name: str, cache: Path) -> Program | Absent:
    """Look for one program: what was found, or what was seen instead."""
    recipe = RECIPES.get(name)
    if recipe is None:
        return Absent(name=name, wanted=f"{name}, which is not one of {', '.join(RECIPES)}")
    if name == "elasticsearch":
        return _look_for_elasticsearch(recipe, cache)
    seen: list[str] = []
    for path, origin in _places(recipe, cache):
        sighting = _examine(recipe, path, origin, cache)
        if isinstance(sighting, Program):
            return sighting
        seen.append(sighting)
    return Absent(name=name, wanted=recipe.wanted, seen=tuple(seen))


def _places(recipe: Recipe, cache: Path) -> Iterator[tuple[Path, str]]:
    on_path = [
        Path(folder, binary)
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        for binary in recipe.binaries
        if folder
    ]
    beside = [path for pattern in recipe.beside for path in sorted(ROOT.glob(pattern))]
    for path in dict.fromkeys((*on_path, *beside)):
        if os.path.isfile(path) and os.access(path, os.X_OK):  # a folder one may not read is no error
            yield path, "PATH"
    for path in sorted((cache / recipe.bundle).glob(recipe.cached)):
        yield path, "cache"


def _examine(recipe: Recipe, path: Path, origin: str, cache: Path) -> Program | str:
    tree = cache / recipe.bundle if origin == "cache" else None
    environment = libraries(tree) if tree else {}
    modules = None
    if recipe.modules:
        folders = sorted(tree.glob("usr/lib/**/rsyslog")) if tree else _module_folders(path)
        modules = next((folder for folder in folders if _holds(folder, recipe.modules)), None)
        if modules is None:
            return f"{path} lacks {', '.join(_lacking(folders, recipe.modules))}"
    version = _ask(recipe, path, environment)
    if version is None or not recipe.fits(version):
        return f"{path} is {version}" if version else f"{path} does not tell its version"
    program = Program(name=recipe.name, version=version, path=path, origin=origin, environment=environment)
    return replace(program, modules=modules if tree else None)


def _ask(recipe: Recipe, path: Path, environment: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [str(path), recipe.version_flag],
            env={**os.environ, "JDK_JAVA_OPTIONS": NO_TRACES, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_TIMEOUT_S,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return recipe.version_in(done.stdout) if done.returncode == 0 else None


def libraries(tree: Path) -> dict[str, str]:
    """Return the environment that lets programs in a tree of unpacked packages find the libraries beside them."""
    folders = [folder for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*") for folder in sorted(tree.glob(pattern))]
    holding = [str(folder) for folder in folders if any(folder.glob("*.so*"))]
    return {"LD_LIBRARY_PATH": ":".join(holding)} if holding else {}


def _module_folders(rsyslogd: Path) -> list[Path]:
    prefix = rsyslogd.resolve().parent.parent
    return [folder for pattern in ("lib/rsyslog", "lib64/rsyslog", "lib/*/rsyslog") for folder in prefix.glob(pattern)]


def _holds(folder: Path, modules: tuple[str, ...]) -> bool:
    return all((folder / f"{module}.so").is_file() for module in modules)


def _lacking(folders: list[Path], modules: tuple[str, ...]) -> list[str]:
    return [module for module in modules if not any((folder / f"{module}.so").is_file() for folder in folders)]


def _look_for_elasticsearch(recipe: Recipe, cache: Path) -> Program | Absent:
    named = os.environ.get("ES_HOME")
    places = [(Path(named, "bin", "elasticsearch"), "ES_HOME")] if named else list(_places(recipe, cache))
    seen = []
    for path, origin in places:
        home = path.resolve().parent.parent
        version = _elasticsearch_version(home)
        if not os.path.isfile(path) or version is None or not recipe.fits(version):
            advice = "; unset ES_HOME or point it at a fitting one" if named else ""
            seen.append(f"{origin} {home} holds {f'version {version}' if version else 'no Elasticsearch'}{advice}")
            continue
        java = None if (home / "jdk").is_dir() else look("java", cache)
        if not isinstance(java, Absent):
            environment = {"ES_JAVA_HOME": str(java_home(java)), **java.environment} if java else {}
            return Program(name=recipe.name, version=version, path=path, origin=origin, environment=environment)
        seen.append(f"{path} needs {java}")
    return Absent(name=recipe.name, wanted=recipe.wanted, seen=tuple(seen))


def _elasticsearch_version(home: Path) -> str | None:
    # Asking the program itself takes a Java start of some seconds; its main archive bears the version too.
    names = [re.fullmatch(r"elasticsearch-(\d[\d.]*)\.jar", path.name) for path in home.glob("lib/elasticsearch-*.jar")]
    return next((name.group(1) for name in names if name), None)


def java_home(java: Program) -> Path:
    """Return the runtime's folder, also when `java` is a wrapper that only starts it."""
    home = java.path.resolve().parent.parent
    if (home / "lib" / "jvm.cfg").is_file():
        return home
    argv = [str(java.path), "-XshowSettings:properties", "-version"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False)
    told = re.search(r"java\.home = (.+)", done.stderr + done.stdout)
    return Path(told.group(1).strip()) if told else home
