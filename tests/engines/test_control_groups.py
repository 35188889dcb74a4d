"""Where memory groups are made, and what is written into them; folders of plain files stand for the kernel's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel.cgroups import find_parent
from tocsin.harness.engines.kernel.memory_cgroups import MemoryCgroup
from tocsin.harness.engines.kernel.write_cgroups import WriteCgroup

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`own` is /proc/self/cgroup, `handing_on` the groups of version 2 that hand the memory controller on."""

    own: str
    folders: tuple[str, ...]
    handing_on: tuple[str, ...] = ()
    found: str | None


MACHINES = {
    "version 1": Machine(own="4:memory:/box\n0::/\n", folders=("memory/box",), found="memory/box"),
    "version 1, with another": Machine(own="4:cpu,memory:/\n", folders=("memory",), found="memory"),
    "version 2": Machine(own="0::/a/b\n", folders=("a/b",), handing_on=("a",), found="a"),
    "version 2, our own": Machine(own="0::/a\n", folders=("a",), handing_on=("a",), found="a"),
    "version 2, nobody hands it on": Machine(own="0::/a\n", folders=("a",), found=None),
    "neither": Machine(own="3:cpu:/\n", folders=("cpu",), found=None),
    "not mounted": Machine(own="4:memory:/box\n", folders=(), found=None),
    "no groups": Machine(own="", folders=(), found=None),
}


@pytest.mark.parametrize("name", MACHINES)
def test_the_place_is_below_our_own_group(tmp_path: Path, name: str) -> None:
    machine, root = MACHINES[name], tmp_path / "fs"
    for folder in machine.folders:
        (root / folder).mkdir(parents=True)
        for place in (root / folder, *(root / folder).parents):
            if place.is_relative_to(root):
                (place / "cgroup.procs").touch()
                (place / "cgroup.subtree_control").touch()
    for folder in machine.handing_on:
        (root / folder / "cgroup.subtree_control").write_text("cpu memory\n")
    own = tmp_path / "own"
    own.write_text(machine.own)
    expected = machine.found and root / machine.found
    assert find_parent("memory", "memory", root, own) == expected


def test_where_nothing_tells_of_groups_there_is_no_place(tmp_path: Path) -> None:
    assert find_parent("memory", "memory", tmp_path, tmp_path / "absent") is None


def second(tmp_path: Path) -> MemoryCgroup:
    group = MemoryCgroup(path=tmp_path / "tocsin-r1-model")
    group.make()
    files = {"memory.current": f"{30 * MIB}", "memory.max": "max", "memory.events": "low 0\nmax 7\noom 1\noom_kill 3\n"}
    for name, content in {**files, "memory.swap.max": "max", "cgroup.procs": ""}.items():
        (group.path / name).write_text(content + "\n")
    return group


def test_version_2_is_limited_lifted_and_read(tmp_path: Path) -> None:
    group = second(tmp_path)
    assert group.usage() == {"memory_mib": 30.0, "oom_kills": 3.0}
    group.limit(20)
    assert (group.path / "memory.swap.max").read_text() == "0"
    assert group.usage()["memory_limit_mib"] == 20.0
    group.lift()
    assert "memory_limit_mib" not in group.usage() and (group.path / "memory.swap.max").read_text() == "max"
    group.add(4711)
    assert (group.path / "cgroup.procs").read_text() == "4711"


def first(tmp_path: Path) -> MemoryCgroup:
    group = MemoryCgroup(path=tmp_path / "tocsin-r1-model")
    group.make()
    control = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
    files = {
        "memory.usage_in_bytes": str(30 * MIB),
        "memory.limit_in_bytes": str(1 << 62),
        "memory.oom_control": control,
    }
    for name, content in {**files, "memory.memsw.limit_in_bytes": str(1 << 62)}.items():
        (group.path / name).write_text(content)
    return group


def test_version_1_is_limited_with_its_swap_lifted_and_read(tmp_path: Path) -> None:
    group = first(tmp_path)
    assert group.usage() == {"memory_mib": 30.0, "oom_kills": 2.0}
    group.limit(40)
    assert (group.path / "memory.memsw.limit_in_bytes").read_text() == str(40 * MIB)
    assert group.usage()["memory_limit_mib"] == 40.0
    group.lift()
    assert (group.path / "memory.limit_in_bytes").read_text() == "-1"
    assert (group.path / "memory.memsw.limit_in_bytes").read_text() == "-1"


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    absent = MemoryCgroup(path=tmp_path / "no" / "group")
    with pytest.raises(StackError, match="Cannot make the control group"):
        absent.make()
    with pytest.raises(StackError, match=r"Cannot write 1 to .*cgroup.procs"):
        absent.add(1)
    with pytest.raises(StackError, match=r"Cannot write 0 to .*memory.swap.max"):
        absent.limit(1)
    with pytest.raises(StackError, match=r"Cannot read .*memory.current"):
        absent.usage()


@pytest.mark.parametrize(
    ("file", "limited", "lifted"),
    [("blkio.throttle.write_iops_device", "7:0 12", "7:0 0"), ("io.max", "7:0 wiops=12", "7:0 wiops=max")],
)
def test_writes_are_slowed_on_devices_of_our_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, limited: str, lifted: str
) -> None:
    devices = {tmp_path / "log": os.makedev(7, 0), tmp_path / "tmpfs": os.makedev(0, 55)}
    monkeypatch.setattr(WriteCgroup, "_numbers", lambda group: [devices[folder] for folder in group.folders])
    group = WriteCgroup(path=tmp_path, folders=tuple(devices))
    (tmp_path / file).touch()
    group.limit(12.9)
    assert (tmp_path / file).read_text() == limited
    group.lift()
    assert (tmp_path / file).read_text() == lifted
