"""Fetches missing programs into the cache, for `programs.setup`.

`.partial` in the cache holds downloads and half-built trees, so that the next try goes on from there; it is removed at
the end. `.lock` keeps two installers from working at once.
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
from tocsin.harness.provisioning import maven, packages
from tocsin.harness.provisioning.program_lookup import NO_TRACES, Absent, Program, java_home, look_up
from tocsin.harness.provisioning.program_manifest import (
    BUNDLES,
    ELASTICSEARCH,
    ELASTICSEARCH_COORDINATES,
    ELASTICSEARCH_SHA512,
    MANIFEST,
)

_SPACE_MIB = {"elasticsearch": 600}
_SPACE_MIB_ELSE = 200
"""Free space to ask for: the download beside the unpacked tree."""


def install_into_cache(names: Iterable[str], cache: Path, report: Callable[[str], None]) -> None:
    """Fetch these programs and what they need; each name must be in the manifest. `report` gets a sentence per step.

    MissingProgram or StackError if one cannot be fetched, or does not fit once it is there.
    """
    wanted = list(names)
    if "elasticsearch" in wanted:  # it runs on Java and is fetched by it
        wanted = list(dict.fromkeys(("java", *wanted)))
    _check_packages(wanted, cache)
    _check_cache(cache)
    _check_space(wanted, cache)
    with _lock(cache, report):
        installer = _Installer(cache=cache, work=cache / ".partial", report=report)
        for name in wanted:
            installer.install(name)
        for leftover in (installer.work, *cache.glob(".old-*")):
            shutil.rmtree(leftover, ignore_errors=True)


@dataclass(frozen=True)
class _Installer:
    cache: Path
    work: Path
    report: Callable[[str], None]

    def install(self, name: str) -> None:
        if isinstance(look_up(name, self.cache), Program):  # another bundle or another process has brought it
            return
        if name != "elasticsearch":
            self._unpack_packages(MANIFEST[name].bundle, self.cache / MANIFEST[name].bundle)
        elif not os.environ.get("ES_HOME"):
            self._unpack_elasticsearch()
        result = look_up(name, self.cache)
        if isinstance(result, Absent):
            raise MissingProgram(f"What was fetched does not fit: expected {result}.", hint="Put one on the PATH.")

    @cached_property
    def _apt(self) -> packages.Apt:
        apt = packages.Apt(work=self.work / "apt")
        self.report("Reading the distribution's package lists.")
        apt.update()
        return apt

    def _unpack_packages(self, bundle: str, destination: Path) -> None:
        began = time.monotonic()
        debs = self._apt.fetch(BUNDLES[bundle])
        tree = self._empty_folder(f"tree-{bundle}")
        packages.unpack_debs(debs, tree)
        packages.relocate_alertmanager(tree)
        packages.move_into_place(tree, destination)
        took_s = time.monotonic() - began
        self.report(f"Unpacked {bundle}: {len(debs)} package(s), {packages.size_mb(debs):.0f} MB, {took_s:.0f} s.")

    def _unpack_elasticsearch(self) -> None:
        self.report(f"Fetching Elasticsearch {ELASTICSEARCH} (107 MB).")
        began = time.monotonic()
        archive = self._fetch_with_maven(ELASTICSEARCH_COORDINATES)
        packages.verify_sha512(archive, ELASTICSEARCH_SHA512)
        tree = self._empty_folder("tree-elasticsearch")
        packages.unzip(archive, tree)
        packages.move_into_place(tree, self.cache / "elasticsearch")
        self.report(f"Unpacked elasticsearch: {packages.size_mb([archive]):.0f} MB, {time.monotonic() - began:.0f} s.")

    def _fetch_with_maven(self, coordinates: str) -> Path:
        java = look_up("java", self.cache)
        if isinstance(java, Absent):
            raise MissingProgram(f"Maven needs {java}.")
        environment = {"JAVA_HOME": str(java_home(java)), "JDK_JAVA_OPTIONS": NO_TRACES, **java.environment}
        if java.origin == "cache":
            self.work.mkdir(parents=True, exist_ok=True)
            trust = maven.trust_options(self.work / "cacerts.jks")
            environment["MAVEN_OPTS"] = f"{os.environ.get('MAVEN_OPTS', '')} {trust}".strip()
        command = shutil.which("mvn")
        if command is None:
            destination = self.work / "maven"  # used once, so it goes with the rest of the folder
            if java.origin == "cache":
                self._apt.consider_installed(self._apt.fetched(BUNDLES["java"]))
            self._unpack_packages("maven", destination)
            command = str(destination / "usr/share/maven/bin/mvn")
        return maven.fetch(coordinates, command=Path(command), environment=environment, work=self.work)

    def _empty_folder(self, name: str) -> Path:
        tree = self.work / name
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        return tree


def _check_packages(names: list[str], cache: Path) -> None:
    """Refuse, before anything is fetched, what comes in packages where there is no apt-get."""
    packaged = [name for name in names if MANIFEST[name].bundle in BUNDLES]
    missing = [MANIFEST[name].wanted for name in packaged if isinstance(look_up(name, cache), Absent)]
    if missing and not packages.Apt.on_this_system():
        raise MissingProgram(
            f"Missing: {'; '.join(missing)}. `tocsin setup` can fetch them only where apt-get and dpkg-deb are.",
            hint="Put them on the PATH by your system's own means, or run with `--engine compose`.",
        )


def _check_cache(cache: Path) -> None:
    """Make the cache folder; StackError if it cannot be used."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            cache.chmod(0o755)  # whatever the umask: other users run from it
    except OSError as error:
        raise StackError(f"The cache {cache} cannot be made: {error}.", hint="Set TOCSIN_CACHE.") from error
    if not os.access(cache, os.W_OK):
        raise StackError(f"The cache {cache} is not writable, and programs are missing.", hint="Set TOCSIN_CACHE.")
    closed = [folder for folder in (cache, *cache.parents) if not folder.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        raise StackError(
            f"Other users cannot enter {closed[-1]}, and servers that refuse root run from {cache} as another user.",
            hint="Set TOCSIN_CACHE to a folder that all may read, such as /var/cache/tocsin.",
        )


def _check_space(names: list[str], cache: Path) -> None:
    needed_mib = sum(_SPACE_MIB.get(name, _SPACE_MIB_ELSE) for name in names)
    free_mib = shutil.disk_usage(cache).free // 2**20
    if free_mib < needed_mib:
        raise StackError(
            f"{free_mib} MiB are free in {cache}, expected {needed_mib} MiB.", hint="Set TOCSIN_CACHE elsewhere."
        )


@contextmanager
def _lock(cache: Path, report: Callable[[str], None]) -> Iterator[None]:
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"Another `tocsin setup` fills {cache}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
