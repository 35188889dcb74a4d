from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import SAYS, bare_machine, fake
from tocsin.harness.core.errors import MissingProgram
from tocsin.harness.provisioning import install, programs


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_machine(tmp_path, monkeypatch)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_all_missing_programs_are_named_at_once(tmp_path: Path, cache: Path) -> None:
    fake(tmp_path / "bin/prometheus", SAYS["prometheus"].format("2.31.0"))
    fake(tmp_path / "bin/amtool", SAYS["amtool"].format("0.25.0"))
    with pytest.raises(MissingProgram) as caught:
        programs.find_all(("prometheus", "amtool", "node_exporter"), cache)
    message = str(caught.value)
    assert f"prometheus >= 2.42 (seen: {tmp_path}/bin/prometheus is 2.31.0)" in message
    assert "node_exporter >= 1.3" in message and "amtool" not in message
    assert message.endswith("Run `tocsin setup`.") and caught.value.exit_code == 2


def test_setup_brings_nothing_when_all_is_here(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin/amtool", SAYS["amtool"].format("0.25.0"))
    monkeypatch.setattr(install, "install_into_cache", lambda *_: pytest.fail("nothing was missing"))
    assert set(programs.setup(("amtool", "amtool"), cache, pytest.fail)) == {"amtool"}
    assert not cache.exists()


def test_setup_without_apt_names_everything(cache: Path) -> None:
    with pytest.raises(MissingProgram, match="prometheus >= 2.42; rsyslogd >= 8.2302 .*apt-get") as caught:
        programs.setup(("prometheus", "rsyslogd"), cache, pytest.fail)
    assert "--engine compose" in caught.value.hint


def test_setup_of_an_unknown_name(cache: Path) -> None:
    with pytest.raises(MissingProgram, match="grafana, which is not one of"):
        programs.setup(("grafana",), cache, pytest.fail)


@pytest.mark.parametrize(
    ("environment", "uid", "folder"),
    [
        ({"TOCSIN_CACHE": "/data/t"}, 0, "/data/t"),
        ({}, 0, "/var/cache/tocsin"),
        ({"XDG_CACHE_HOME": "/x"}, 1000, "/x/tocsin"),
        ({"HOME": "/home/p"}, 1000, "/home/p/.cache/tocsin"),
    ],
)
def test_cache_folder(environment: dict[str, str], uid: int, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert programs.cache_folder() == Path(folder)


def test_memory_is_bounded_by_the_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(programs, "_LIMITS", (limit, tmp_path / "absent"))
    limit.write_text("max\n")
    free = programs.memory_mib()
    limit.write_text(f"{64 * 2**20}\n")
    assert free > 64 and programs.memory_mib() == 64


def test_free_disk_of_a_folder_to_be(tmp_path: Path) -> None:
    assert programs.disk_free_mib(tmp_path / "not" / "yet") > 0
