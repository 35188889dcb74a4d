from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common import host_cleanup
from tocsin.harness.engines.kernel import disks
from tocsin.harness.engines.kernel.run_processes import remove_folder


def test_groups_that_were_written_down_are_removed(tmp_path: Path) -> None:
    groups = [tmp_path / "tocsin-r-a", tmp_path / "tocsin-r-b"]
    groups[0].mkdir()
    work = tmp_path / "work"
    work.mkdir()
    host_cleanup.write_down(work, groups=groups)  # the second was never made
    assert json.loads((work / "engine.json").read_text())["engine"] == "local"
    assert host_cleanup.take_away(work) == []
    assert not groups[0].exists()


def test_a_group_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    group = tmp_path / "tocsin-r-a"
    group.mkdir()
    (group / "busy").touch()
    host_cleanup.write_down(tmp_path, groups=[group])
    assert host_cleanup.take_away(tmp_path, within_s=0.05) == [str(group)]


@pytest.mark.parametrize("content", [None, "{torn"])
def test_without_a_record_there_is_nothing_to_take_away(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "engine.json").write_text(content)
    assert host_cleanup.take_away(tmp_path) == []


@pytest.mark.e2e
@pytest.mark.skipif(not disks.can_mount(), reason="mounting takes root")
@pytest.mark.parametrize("recorded", [True, False])
def test_a_full_disk_in_use_goes_with_the_work_folder(tmp_path: Path, recorded: bool) -> None:
    work, place = tmp_path / "work", tmp_path / "work" / "model" / "lo gs"
    work.mkdir()
    if recorded:
        host_cleanup.write_down(work, mounts=[place])
    disks.mount_tmpfs(place, 1)
    assert os.path.ismount(place)
    subprocess.run(["dd", "if=/dev/zero", f"of={place}/full"], capture_output=True, check=False)
    with (place / "open").open("w"):
        assert os.statvfs(place).f_bavail == 0
        assert host_cleanup.take_away(work) == []
    assert remove_folder(work)


@pytest.mark.e2e
def test_a_mount_that_is_refused_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 32, "", "mount: only root can do that\n")

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(StackError, match="Cannot make a disk: mount .*: mount: only root can do that"):
        disks.mount_tmpfs(tmp_path / "d", 4)


def test_without_the_programs_nothing_can_be_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert not disks.can_mount()
