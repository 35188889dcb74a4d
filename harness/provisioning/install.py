"""Brings missing programs into the cache: the work behind `programs.setup`.

`.partial` in the cache holds downloads and trees in the making, so that a next try goes on from there; it is removed
once all has been brought. `.lock` keeps two from working at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tocsin.harness.core.errors import MissingProgram, StackError
from tocsin.harness.provisioning.maven import Maven, trust_options
from tocsin.harness.provisioning.program_lookup import NO_TRACES, Absent, Program, java_home, look
from tocsin.harness.provisioning.program_manifest import (
    BUNDLES,
    ELASTICSEARCH,
    ELASTICSEARCH_COORDINATES,
    ELASTICSEARCH_SHA512,
    RECIPES,
)
from tocsin.harness.provisioning.unpack import (
    Apt,
    put_in_place,
    relocate_alertmanager,
    size_mb,
    unpack_debs,
    unzip,
    verify_sha512,
)

_SPACE_MIB = {"elasticsearch": 600}
_SPACE_MIB_ELSE = 200
"""Free space to ask for: the download beside the unpacked tree."""


def bring(names: Iterable[str], cache: Path, report: Callable[[str], None]) -> None:
    """Bring these programs and what they need; every name must be a recipe's."""
    wanted = list(names)
    if "elasticsearch" in wanted:  # it runs on Java and is fetched by it
        wanted = list(dict.fromkeys(("java", *wanted)))
    _check(wanted, cache)
    with _only_one(cache, report):
        delivery = _Delivery(cache=cache, work=cache / ".partial", report=report)
        for name in wanted:
            delivery.bring(name)
        for debris in (delivery.work, *cache.glob(".old-*")):
            shutil.rmtree(debris, ignore_errors=True)


@dataclass(frozen=True)
class _Delivery:
    cache: Path
    work: Path
    report: Callable[[str], None]

    def bring(self, name: str) -> None:
        if isinstance(look(name, self.cache), Program):  # brought meanwhile, alone or in another's bundle
            return
        if name != "elasticsearch":
            self._bring_packages(RECIPES[name].bundle, self.cache / RECIPES[name].bundle)
        elif not os.environ.get("ES_HOME"):
            self._bring_elasticsearch()
        found = look(name, self.cache)
        if isinstance(found, Absent):
            raise MissingProgram(f"What was brought does not fit: expected {found}.", hint="Put one on the PATH.")

    @cached_property
    def _apt(self) -> Apt:
        apt = Apt(work=self.work / "apt")
        self.report("Reading the distribution's package lists.")
        apt.update()
        return apt

    def _bring_packages(self, bundle: str, place: Path) -> None:
        began = time.monotonic()
        debs = self._apt.fetch(BUNDLES[bundle])
        tree = self._empty(f"tree-{bundle}")
        unpack_debs(debs, tree)
        relocate_alertmanager(tree)
        put_in_place(tree, place)
        took_s = time.monotonic() - began
        self.report(f"Unpacked {bundle}: {len(debs)} package(s), {size_mb(debs):.0f} MB, {took_s:.0f} s.")

    def _bring_elasticsearch(self) -> None:
        self.report(f"Fetching Elasticsearch {ELASTICSEARCH} (107 MB).")
        began = time.monotonic()
        archive = self._maven().copy(ELASTICSEARCH_COORDINATES)
        verify_sha512(archive, ELASTICSEARCH_SHA512)
        tree = self._empty("tree-elasticsearch")
        unzip(archive, tree)
        put_in_place(tree, self.cache / "elasticsearch")
        self.report(f"Unpacked elasticsearch: {size_mb([archive]):.0f} MB, {time.monotonic() - began:.0f} s.")

    def _maven(self) -> Maven:
        java = look("java", self.cache)
        if isinstance(java, Absent):
            raise MissingProgram(f"Maven needs {java}.")
        environment = {"JAVA_HOME": str(java_home(java)), "JDK_JAVA_OPTIONS": NO_TRACES, **java.environment}
        if java.origin == "cache":
            self.work.mkdir(parents=True, exist_ok=True)
            trust = trust_options(self.work / "cacerts.jks")
            environment["MAVEN_OPTS"] = f"{os.environ.get('MAVEN_OPTS', '')} {trust}".strip()
        command = shutil.which("mvn")
        if command is None:
            place = self.work / "maven"  # used once, so it goes with the rest of the folder
            if java.origin == "cache":
                self._apt.consider_installed(self._apt.fetched(BUNDLES["java"]))
            self._bring_packages("maven", place)
            command = str(place / "usr/share/maven/bin/mvn")
        return Maven(command=Path(command), environment=environment, work=self.work)

    def _empty(self, name: str) -> Path:
        tree = self.work / name
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        return tree


def _check(names: list[str], cache: Path) -> None:
    """Refuse, before anything is fetched, what cannot end well."""
    by_package = [RECIPES[name].wanted for name in names if isinstance(look(name, cache), Absent) and name in _PACKAGED]
    if by_package and not Apt.on_this_system():
        raise MissingProgram(
            f"Missing: {'; '.join(by_package)}. Only systems with apt-get and dpkg-deb can be provided with them.",
            hint="Put them on the PATH by your system's own means, or run with `--engine compose`.",
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            cache.chmod(0o755)  # whatever the umask: other users run from it
    except OSError as refused:
        raise StackError(f"The cache {cache} cannot be made: {refused}.", hint="Set TOCSIN_CACHE.") from refused
    if not os.access(cache, os.W_OK):
        raise StackError(f"The cache {cache} is not writable, and programs are missing.", hint="Set TOCSIN_CACHE.")
    closed = [place for place in (cache, *cache.parents) if not place.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        raise StackError(
            f"Other users cannot enter {closed[-1]}, and servers that refuse root run from {cache} as another user.",
            hint="Set TOCSIN_CACHE to a folder that all may read, such as /var/cache/tocsin.",
        )
    space = sum(_SPACE_MIB.get(name, _SPACE_MIB_ELSE) for name in names)
    free = shutil.disk_usage(cache).free // 2**20
    if free < space:
        raise StackError(f"{free} MiB are free in {cache}, expected {space} MiB.", hint="Set TOCSIN_CACHE elsewhere.")


_PACKAGED = {name for name, recipe in RECIPES.items() if recipe.bundle in BUNDLES}


@contextmanager
def _only_one(cache: Path, report: Callable[[str], None]) -> Iterator[None]:
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"Another `tocsin setup` fills {cache}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
