from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import SAYS, bare_machine, fake, fake_java
from tocsin.harness.core.errors import MissingProgram, StackError
from tocsin.harness.provisioning import install, programs
from tocsin.harness.provisioning.program_manifest import BUNDLES


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_machine(tmp_path, monkeypatch)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class FakeApt:
    """Stands for apt-get and dpkg-deb: a package is a file that holds the version its program will tell."""

    fetched_names: list[tuple[str, ...]] = []

    def __init__(self, *, work: Path) -> None:
        self.work = work

    @staticmethod
    def on_this_system() -> bool:
        return True

    def update(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)

    def fetch(self, packages: tuple[str, ...]) -> list[Path]:
        FakeApt.fetched_names.append(packages)
        deb = self.work / f"{packages[0]}.deb"
        deb.write_text("0.25.0")
        return [deb]


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeApt]:
    def unpack_debs(debs: list[Path], tree: Path) -> None:
        for name, binary in (("alertmanager", "prometheus-alertmanager"), ("amtool", "amtool")):
            fake(tree / "usr/bin" / binary, SAYS[name].format(debs[0].read_text()))
        (tree / "usr/share/prometheus/alertmanager").mkdir(parents=True)

    monkeypatch.setattr(install.packages, "Apt", FakeApt)
    monkeypatch.setattr(install.packages, "unpack_debs", unpack_debs)
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)  # root's cache may not lie in a private folder
    monkeypatch.setattr(FakeApt, "fetched_names", [])
    return FakeApt


def test_setup_fetches_a_bundle_once_and_leaves_no_debris(cache: Path, apt: type[FakeApt]) -> None:
    told: list[str] = []
    first = programs.setup(("alertmanager", "amtool"), cache, told.append)
    again = programs.setup(("alertmanager", "amtool"), cache, pytest.fail)
    assert first == again and first["amtool"].origin == "cache"
    assert apt.fetched_names == [BUNDLES["alertmanager"]]
    assert told[0].startswith("Reading") and told[1].startswith("Unpacked alertmanager: 1 package(s), 0 MB")
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "alertmanager"]


def test_setup_mends_a_broken_tree(cache: Path, apt: type[FakeApt]) -> None:
    fake(cache / "alertmanager/usr/bin/amtool", "broken", status=1)
    assert programs.setup(("amtool",), cache, lambda _: None)["amtool"].version == "0.25.0"


def test_setup_of_a_package_that_is_too_old(cache: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        install.packages, "unpack_debs", lambda _, tree: fake(tree / "usr/bin/amtool", "amtool, version 0.21")
    )
    with pytest.raises(MissingProgram, match=r"does not fit: expected amtool >= 0.25 \(seen: .*amtool is 0.21\)"):
        programs.setup(("amtool",), cache, lambda _: None)


def test_two_setups_at_once_fetch_once(cache: Path, apt: type[FakeApt]) -> None:
    threads = [threading.Thread(target=programs.setup, args=(("amtool",), cache, lambda _: None)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(apt.fetched_names) == 1 and programs.find("amtool", cache)


def test_setup_keeps_what_was_fetched_when_it_fails(
    cache: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(debs: list[Path], tree: Path) -> None:
        fake(tree / "usr/bin/amtool", SAYS["amtool"].format("0.25.0"))
        raise StackError("cut off")

    monkeypatch.setattr(install.packages, "unpack_debs", break_off)
    with pytest.raises(StackError, match="cut off"):
        programs.setup(("amtool",), cache, lambda _: None)
    assert (cache / ".partial").is_dir() and programs.find("amtool", cache) is None


def test_a_full_disk_is_said_before_anything_is_fetched(
    cache: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = os.statvfs_result  # any object with .free will do
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: type(usage.__name__, (), {"free": 10 * 2**20}))
    with pytest.raises(StackError, match="10 MiB are free .* expected 200 MiB"):
        programs.setup(("amtool",), cache, pytest.fail)
    assert apt.fetched_names == []


def test_a_cache_that_other_users_cannot_enter_is_refused_for_root(
    tmp_path: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install.os, "geteuid", lambda: 0)
    (tmp_path / "private").mkdir(mode=0o700)
    with pytest.raises(StackError, match="Other users cannot enter"):
        programs.setup(("amtool",), tmp_path / "private/cache", pytest.fail)


@pytest.fixture
def mvn(tmp_path: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven that copies a small zip of the right name, and a Java on the PATH."""
    archive = tmp_path / "elasticsearch.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for name, mode in (("bin/elasticsearch", 0o755), ("lib/elasticsearch-8.19.21.jar", 0o644)):
            entry = zipfile.ZipInfo(f"elasticsearch-8.19.21/{name}")
            entry.external_attr = (stat.S_IFREG | mode) << 16
            bundle.writestr(entry, "#!/bin/sh\n")
    (tmp_path / "bin/java").symlink_to(fake_java(tmp_path / "jvm/bin/java"))
    fake(tmp_path / "bin/mvn", "")
    (tmp_path / "bin/mvn").write_text(f"#!/bin/sh\n/bin/cp {archive} elasticsearch-8.19.21.zip\n")
    monkeypatch.setattr(install, "ELASTICSEARCH_SHA512", hashlib.sha512(archive.read_bytes()).hexdigest())
    return archive


def test_elasticsearch_is_brought_with_its_modes(mvn: Path, cache: Path) -> None:
    found = programs.setup(("elasticsearch",), cache, lambda _: None)["elasticsearch"]
    assert found.path == cache / "elasticsearch/elasticsearch-8.19.21/bin/elasticsearch"
    assert os.access(found.path, os.X_OK) and not (cache / ".partial").exists()


def test_another_zip_than_the_pinned_one_is_refused(mvn: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "ELASTICSEARCH_SHA512", "0" * 128)
    with pytest.raises(StackError, match="has SHA-512 .*, expected 0000"):
        programs.setup(("elasticsearch",), cache, lambda _: None)
    assert programs.find("elasticsearch", cache) is None
    assert not list(cache.rglob("*.zip"))


def test_setup_does_not_replace_a_wrong_es_home(mvn: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ES_HOME", "/nowhere")
    with pytest.raises(MissingProgram, match="unset ES_HOME"):
        programs.setup(("elasticsearch",), cache, lambda _: None)
    assert not (cache / "elasticsearch").exists()


def test_a_second_setup_waits_and_says_so(cache: Path, apt: type[FakeApt]) -> None:
    told: list[str] = []
    cache.mkdir()
    with (cache / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=programs.setup, args=(("amtool",), cache, told.append))
        second.start()
        while not told:
            time.sleep(0.005)
        assert told == [f"Another `tocsin setup` fills {cache}; waiting for it."] and not apt.fetched_names
    second.join(timeout=5)
    assert programs.find("amtool", cache)


def test_setup_clears_away_what_an_interrupted_one_left(cache: Path, apt: type[FakeApt]) -> None:
    fake(cache / ".old-alertmanager-17/usr/bin/amtool", "")
    fake(cache / ".partial/tree-alertmanager/usr/bin/stale", "")
    programs.setup(("amtool",), cache, lambda _: None)
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "alertmanager"]
    assert not (cache / "alertmanager/usr/bin/stale").exists()


def test_a_cache_that_cannot_be_made(tmp_path: Path, apt: type[FakeApt]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"cannot be made: .* Set TOCSIN_CACHE"):
        programs.setup(("amtool",), tmp_path / "file/cache", pytest.fail)


def test_a_cache_that_is_read_only(cache: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    monkeypatch.setattr(install.os, "access", lambda path, mode: path != cache)
    with pytest.raises(StackError, match="is not writable, and programs are missing"):
        programs.setup(("amtool",), cache, pytest.fail)


@dataclass(frozen=True, kw_only=True)
class Java:
    case: str
    cached: bool
    trust: bool
    opts: str = ""


JAVAS = [
    Java(case="the system's Java has its own certificates", cached=False, trust=False),
    Java(case="an unpacked one is given the system's", cached=True, trust=True),
    Java(case="beside the user's own options", cached=True, trust=True, opts="-Xmx64m"),
]


@pytest.mark.parametrize("row", JAVAS, ids=lambda row: row.case)
def test_what_maven_runs_with(
    row: Java, mvn: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin/mvn").write_text((tmp_path / "bin/mvn").read_text() + f"/usr/bin/env > {tmp_path}/environment\n")
    home = tmp_path / "jvm"
    if row.cached:
        (tmp_path / "bin/java").unlink()
        home = fake_java(cache / "java/usr/lib/jvm/java-17/bin/java").parents[1]
    monkeypatch.setenv("MAVEN_OPTS", row.opts)
    monkeypatch.setattr(install.maven, "trust_options", lambda store: f"-Dtrust={store}")
    programs.setup(("elasticsearch",), cache, lambda _: None)
    seen = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines() if "=" in line)
    assert seen["JAVA_HOME"] == str(home)
    assert seen["JDK_JAVA_OPTIONS"] == "-XX:-UsePerfData"
    trust = f"-Dtrust={cache}/.partial/cacerts.jks" if row.trust else ""
    assert seen["MAVEN_OPTS"] == f"{row.opts} {trust}".strip()


def test_maven_is_fetched_for_the_occasion_and_goes_again(
    mvn: Path, tmp_path: Path, cache: Path, apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (tmp_path / "bin/mvn").read_text()
    (tmp_path / "bin/mvn").unlink()

    def unpack_debs(_: list[Path], tree: Path) -> None:
        fake(tree / "usr/share/maven/bin/mvn", "").write_text(script)

    monkeypatch.setattr(install.packages, "unpack_debs", unpack_debs)
    programs.setup(("elasticsearch",), cache, lambda _: None)
    assert apt.fetched_names == [("maven",)]
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "elasticsearch"]
