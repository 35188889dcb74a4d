from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import SAYS, bare_machine, fake, fake_elasticsearch, fake_java, modules_in
from tocsin.harness.provisioning import program_lookup, programs


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_machine(tmp_path, monkeypatch)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@dataclass(frozen=True, kw_only=True)
class Placed:
    case: str
    name: str
    files: tuple[tuple[str, str, int], ...]  # place, version, exit status
    found: str | None
    origin: str = "PATH"


PLACED = [
    Placed(case="nothing", name="prometheus", files=(), found=None),
    Placed(case="on the PATH", name="prometheus", files=(("bin/prometheus", "2.53.0", 0),), found="bin/prometheus"),
    Placed(
        case="distribution's name",
        name="alertmanager",
        files=(("bin/prometheus-alertmanager", "0.25.0", 0),),
        found="bin/prometheus-alertmanager",
    ),
    Placed(
        case="upstream's name",
        name="node_exporter",
        files=(("bin/node_exporter", "1.8.0", 0),),
        found="bin/node_exporter",
    ),
    Placed(
        case="PATH before cache",
        name="amtool",
        files=(("bin/amtool", "0.27.0", 0), ("cache/alertmanager/usr/bin/amtool", "0.25.0", 0)),
        found="bin/amtool",
    ),
    Placed(
        case="too old on the PATH, fitting in the cache",
        name="prometheus",
        files=(("bin/prometheus", "2.31.0", 0), ("cache/prometheus/usr/bin/prometheus", "2.42.0", 0)),
        found="cache/prometheus/usr/bin/prometheus",
        origin="cache",
    ),
    Placed(case="does not run", name="promtool", files=(("bin/promtool", "2.42.0", 127),), found=None),
    Placed(
        case="half-done tree",
        name="prometheus",
        files=(("cache/.partial/tree-prometheus/usr/bin/prometheus", "2.42.0", 0),),
        found=None,
    ),
    Placed(
        case="java outside the PATH",
        name="java",
        files=(("bin/java", "11.0.2", 0), ("root/usr/lib/jvm/java-21/bin/java", "21.0.1", 0)),
        found="root/usr/lib/jvm/java-21/bin/java",
    ),
]


@pytest.mark.parametrize("row", PLACED, ids=lambda row: row.case)
def test_where_a_program_is_found(row: Placed, tmp_path: Path, cache: Path) -> None:
    for place, version, status in row.files:
        fake(tmp_path / place, SAYS[row.name].format(version), status=status)
    found = programs.find(row.name, cache)
    assert (found and found.path) == (tmp_path / row.found if row.found else None)
    if found:
        assert (found.origin, found.version) == (row.origin, row.files[-1 if row.origin == "cache" else 0][1]) or (
            row.case == "java outside the PATH"
        )


def test_a_program_that_hangs_is_not_found(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_lookup, "_VERSION_TIMEOUT_S", 0.2)
    (tmp_path / "bin/promtool").write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    (tmp_path / "bin/promtool").chmod(0o755)
    assert "does not tell its version" in str(programs.look_up("promtool", cache))


def test_rsyslogd_without_its_modules_does_not_fit(tmp_path: Path, cache: Path) -> None:
    fake(tmp_path / "bin/rsyslogd", SAYS["rsyslogd"].format("8.2302.0"))
    modules_in(tmp_path / "lib/x86_64-linux-gnu/rsyslog", ("imfile", "impstats"))
    assert "lacks omelasticsearch, mmjsonparse, mmutf8fix, fmhash" in str(programs.look_up("rsyslogd", cache))


def test_rsyslogd_of_the_system_needs_no_module_folder(tmp_path: Path, cache: Path) -> None:
    fake(tmp_path / "root/usr/sbin/rsyslogd", SAYS["rsyslogd"].format("8.2302.0"))
    modules_in(tmp_path / "root/usr/lib/x86_64-linux-gnu/rsyslog")
    found = programs.find("rsyslogd", cache)
    assert found and found.origin == "PATH" and found.modules is None and not found.environment


def test_rsyslogd_of_the_cache_gets_its_modules_and_libraries(cache: Path) -> None:
    fake(cache / "rsyslog/usr/sbin/rsyslogd", SAYS["rsyslogd"].format("8.2302.0"))
    libraries = cache / "rsyslog/usr/lib/x86_64-linux-gnu"
    modules = modules_in(libraries / "rsyslog")
    (libraries / "libestr.so.0").touch()
    found = programs.find("rsyslogd", cache)
    assert found and found.origin == "cache" and found.modules == modules
    assert found.environment == {"LD_LIBRARY_PATH": str(libraries)}


def test_an_unknown_name_is_said_so(cache: Path) -> None:
    assert "grafana, which is not one of prometheus" in str(programs.look_up("grafana", cache))


def test_elasticsearch_of_es_home_is_used(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_elasticsearch(tmp_path / "es", "8.19.3")
    java = fake_java(tmp_path / "jvm/bin/java")
    (tmp_path / "bin/java").symlink_to(java)
    monkeypatch.setenv("ES_HOME", str(tmp_path / "es"))
    found = programs.find("elasticsearch", cache)
    assert found and (found.path, found.origin, found.version) == (path, "ES_HOME", "8.19.3")
    assert found.environment == {"ES_JAVA_HOME": str(tmp_path / "jvm")}


def test_elasticsearch_with_its_own_java_needs_no_other(tmp_path: Path, cache: Path) -> None:
    fake_elasticsearch(cache / "elasticsearch/elasticsearch-8.19.21", "8.19.21")
    assert "needs java >= 17" in str(programs.look_up("elasticsearch", cache))
    (cache / "elasticsearch/elasticsearch-8.19.21/jdk").mkdir()
    found = programs.find("elasticsearch", cache)
    assert found and found.origin == "cache" and found.environment == {}


@pytest.mark.parametrize(("version", "says"), [("7.17.0", "version 7.17.0"), (None, "no Elasticsearch")])
def test_a_wrong_es_home_is_not_passed_over(
    version: str | None, says: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path / "jvm/bin/java")
    fake_elasticsearch(cache / "elasticsearch/elasticsearch-8.19.21", "8.19.21")
    if version:
        fake_elasticsearch(tmp_path / "es", version)
    monkeypatch.setenv("ES_HOME", str(tmp_path / "es"))
    seen = str(programs.look_up("elasticsearch", cache))
    assert f"holds {says}; unset ES_HOME or point it at a fitting one" in seen


def test_java_home_behind_a_wrapper(tmp_path: Path) -> None:
    path = fake(tmp_path / "shims/java", "    java.home = /opt/jdk-17")
    program = programs.Program(name="java", version="17", path=path, origin="PATH")
    assert program_lookup.java_home(program) == Path("/opt/jdk-17")


def test_a_fitting_program_behind_an_old_one_on_the_path_is_found(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "old/prometheus", SAYS["prometheus"].format("2.31.0"))
    fake(tmp_path / "new/prometheus", SAYS["prometheus"].format("2.53.0"))
    monkeypatch.setenv("PATH", f"{tmp_path}/old:{tmp_path}/absent::{tmp_path}/new")
    found = programs.find("prometheus", cache)
    assert found and found.path == tmp_path / "new/prometheus"


@pytest.mark.parametrize("kind", ["folder", "not executable"])
def test_what_only_bears_the_name_is_passed_over(kind: str, tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "bin/amtool"
    if kind == "folder":
        path.mkdir()
    else:
        fake(path, SAYS["amtool"].format("0.25.0")).chmod(0o644)
    assert programs.look_up("amtool", cache) == program_lookup.Absent(name="amtool", wanted="amtool >= 0.25")


def test_a_program_that_the_kernel_cannot_run_is_seen(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "bin/amtool").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "bin/amtool").chmod(0o755)
    assert "amtool does not tell its version" in str(programs.look_up("amtool", cache))


@dataclass(frozen=True, kw_only=True)
class Libraries:
    case: str
    files: tuple[str, ...]
    folders: tuple[str, ...]


LIBRARIES = [
    Libraries(case="none", files=("usr/bin/x",), folders=()),
    Libraries(case="only modules", files=("usr/lib/x86_64-linux-gnu/rsyslog/imfile.so",), folders=()),
    Libraries(case="usr/lib", files=("usr/lib/aarch64-linux-gnu/liba.so.1",), folders=("usr/lib/aarch64-linux-gnu",)),
    Libraries(
        case="both",
        files=("usr/lib/x86_64-linux-gnu/liba.so.1", "lib/x86_64-linux-gnu/libb.so"),
        folders=("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"),
    ),
]


@pytest.mark.parametrize("row", LIBRARIES, ids=lambda row: row.case)
def test_the_libraries_beside_a_program(row: Libraries, tmp_path: Path) -> None:
    for name in row.files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = ":".join(str(tmp_path / folder) for folder in row.folders)
    assert program_lookup.libraries(tmp_path) == ({"LD_LIBRARY_PATH": expected} if expected else {})


def test_elasticsearch_gets_the_libraries_of_the_java_it_runs_on(cache: Path) -> None:
    fake_elasticsearch(cache / "elasticsearch/elasticsearch-8.19.21", "8.19.21")
    fake_java(cache / "java/usr/lib/jvm/java-17-openjdk-amd64/bin/java")
    libraries = cache / "java/usr/lib/x86_64-linux-gnu"
    libraries.mkdir()
    (libraries / "liblcms2.so.2").touch()
    found = programs.find("elasticsearch", cache)
    assert found and found.environment == {
        "ES_JAVA_HOME": str(cache / "java/usr/lib/jvm/java-17-openjdk-amd64"),
        "LD_LIBRARY_PATH": str(libraries),
    }


def test_elasticsearch_of_a_newer_line_is_seen_but_does_not_fit(tmp_path: Path, cache: Path) -> None:
    fake_elasticsearch(tmp_path / "opt/es", "9.1.0")
    (tmp_path / "bin/elasticsearch").symlink_to(tmp_path / "opt/es/bin/elasticsearch")
    assert f"PATH {tmp_path}/opt/es holds version 9.1.0" in str(programs.look_up("elasticsearch", cache))


def test_programs_are_looked_for_at_once_and_answered_in_order(tmp_path: Path, cache: Path) -> None:
    for name in ("promtool", "amtool"):
        fake(tmp_path / "bin" / name, SAYS[name].format("2.42.0"))
    results = program_lookup.look_up_all(("promtool", "java", "amtool", "promtool"), cache)
    assert [type(result).__name__ for result in results.values()] == ["Program", "Absent", "Program"]
    assert list(results) == ["promtool", "java", "amtool"]
    assert program_lookup.look_up_all((), cache) == {}
