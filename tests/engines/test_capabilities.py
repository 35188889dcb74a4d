"""Faults of processes and resources on a real stack of the local engine, each seen to begin and to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline, new_run, role
from tocsin.harness import faults
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.fault_contract import Fault, Witness
from tocsin.harness.declarations.timeline import PlannedFault
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.kernel import disks, memory_cgroups, open_files
from tocsin.harness.engines.kernel.run_processes import pids_of_run
from tocsin.harness.engines.local.engine import LocalEngine

pytestmark = pytest.mark.e2e

SWEEP = "from tocsin.harness.engines.guardian.sweep import sweep; sweep()"
DISKS = {"log": {"role": "web", "path": "{work}/web/logs", "mib": 1}}


@dataclass(frozen=True, kw_only=True)
class Played:
    kind: str
    params: dict[str, Any]
    says: str


PLAYED = [
    Played(kind="kill", params={"role": "web"}, says="refuses connections"),
    Played(kind="terminate", params={"role": "web"}, says="refuses connections"),
    Played(kind="restart", params={"role": "web"}, says="a process that began later"),
    Played(kind="crash_loop", params={"role": "web", "up": 0.2, "down": 0.2}, says=""),
    Played(kind="slow_start", params={"role": "web"}, says="began later; web at 127.0.0.1:"),
    Played(kind="pause", params={"role": "web"}, says="1 of 1 processes of web are stopped"),
    Played(kind="memory_pressure", params={"role": "web", "leave_mib": 0.5}, says="web holds "),
    Played(kind="out_of_memory", params={"role": "web"}, says="for want of memory"),
    Played(kind="disk_full", params={"disk": "log"}, says="is refused: dd: "),
    Played(kind="disk_full", params={"disk": "log", "share": 0.5}, says="a block is written"),
    Played(kind="disk_slow", params={"disk": "log", "writes_per_s": 10}, says="a block for log takes "),
    Played(kind="fd_exhaustion", params={"role": "web"}, says="files open and may have 3; web at 127.0.0.1:"),
]


@contextmanager
def up(
    folder: Path, kind: str, params: dict[str, Any], declared: dict[str, Any] = DISKS
) -> Iterator[tuple[RunningStack, Run]]:
    stack = make_stack(folder / "stack", {"web": role("hungry", declared=8000)}, disks=declared)
    lacking = faults.lacking(faults.make(kind, params), stack, LocalEngine().capabilities(stack))
    if lacking:
        pytest.skip(lacking[0])
    fault = faults.make(kind, params)
    planned = PlannedFault(name="it", fault=fault, params=params, phase="calm", inject_s=0, heal_s=1)
    run, journal = new_run(folder)
    with LocalEngine().up(replace(make_timeline(stack), faults=(planned,)), run, journal) as live:
        yield live, run


def awaited(fault: Fault, live: RunningStack, state: str, meanwhile: Callable[[], None] = lambda: None) -> Witness:
    deadline = time.monotonic() + 10
    while (seen := fault.witness(live)).state != state and time.monotonic() < deadline:
        meanwhile()
        time.sleep(0.02)
    return seen


def eat(live: RunningStack) -> None:
    """Have the role write a file: page cache counts for its memory."""
    with suppress(OSError):
        call("GET", live.address("web"), "/", within_s=0.5)


def mounts(run_id: str) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if run_id in line]


def groups(run_id: str) -> list[str]:
    return [str(place) for place in Path("/sys/fs/cgroup").rglob(f"tocsin-{run_id}*")]


def loops(run_id: str) -> list[str]:
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    return [str(file) for file in files if run_id in file.read_text()]


def left(run: Run) -> list[str]:
    return [
        *mounts(run.id),
        *groups(run.id),
        *loops(run.id),
        *map(str, pids_of_run(run.id)),
        *([str(run.work)] if run.work.exists() else []),
    ]


@pytest.mark.parametrize("played", PLAYED, ids=lambda one: f"{one.kind}-{one.params.get('share', '')}")
def test_it_is_seen_to_begin_and_to_end_any_number_of_times_and_nothing_is_left(tmp_path: Path, played: Played) -> None:
    fault = faults.make(played.kind, played.params)
    with up(tmp_path, played.kind, played.params) as (live, run):
        fault.heal(live)
        assert awaited(fault, live, "absent").state == "absent"
        began = time.monotonic()
        fault.inject(live)
        seen = awaited(fault, live, "present", lambda: eat(live))
        shown_s = time.monotonic() - began
        assert seen.state == "present" and played.says in seen.detail
        fault.inject(live)
        assert awaited(fault, live, "present").state == "present"
        assert fault.witness(live).state == "present"  # again and again, not by luck
        assert live.died() == {}  # what a fault brings about was asked for
        began = time.monotonic()
        fault.heal(live)
        assert awaited(fault, live, "absent").state == "absent"
        print(
            f"{played.kind}: present {shown_s:.2f} s after inject, absent {time.monotonic() - began:.2f} s after heal"
        )
        fault.heal(live)
        assert fault.witness(live).state == "absent"
        assert live.alive("web")
    assert left(run) == []


def test_what_this_machine_lacks_is_no_handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack(tmp_path / "stack", {"web": role(declared=8000)}, disks=DISKS)
    for module, name in ((disks, "can_mount"), (open_files, "can_limit"), (memory_cgroups, "parent")):
        monkeypatch.setattr(module, name, lambda: None)
    assert LocalEngine().capabilities(stack) == {"start", "signal", "freeze", "run_in"}
    sentences = [
        faults.lacking(faults.make(one.kind, one.params), stack, LocalEngine().capabilities(stack))
        for one in PLAYED[-6:]
    ]
    assert [len(said) for said in sentences] == [1, 1, 1, 1, 2, 1]


def test_what_was_not_planned_or_is_unknown_cannot_be_done(tmp_path: Path) -> None:
    with up(tmp_path, "kill", {"role": "web"}) as (live, _):
        with pytest.raises(StackError, match="no memory group: no fault of the plan asked for one"):
            live.limit("web", memory_mib=10)
        with pytest.raises(
            StackError, match="No role can be limited in sockets; known limits: memory_mib, open_files, writes_per_s"
        ):
            live.limit("web", sockets=10)
        with pytest.raises(StackError, match="Disk 'log' is not mounted in this run; mounted: none"):
            live.disk("log")
        with pytest.raises(StackError, match="sleep beside web took longer than 0.1 s"):
            live.run_in("web", ["sleep", "5"], within_s=0.1)
        status, said = live.run_in("web", ["sh", "-c", "pwd; ls nothing; exit 3"])
        assert status == 3 and said.startswith(f"{live.work}/web\n") and "ls: " in said
        assert live.usage("web")["open_files"] >= 3


def test_a_disk_outside_the_work_folder_is_never_mounted(tmp_path: Path) -> None:
    outside = {"log": {"role": "web", "path": str(tmp_path / "elsewhere"), "mib": 1}}
    with (
        pytest.raises(StackError, match="elsewhere is not below the work folder"),
        up(tmp_path, "disk_full", {"disk": "log"}, declared=outside),
    ):
        pytest.fail("it came up")
    assert not (tmp_path / "elsewhere").exists()


HARNESS = """
    import sys, time
    from dataclasses import replace
    from pathlib import Path
    from harness import faults
    from tocsin.harness.engines.local.engine import LocalEngine
    from tocsin.harness.declarations.timeline import PlannedFault
    from tests.engines.test_capabilities import DISKS
    from tests.engines.tiny_stack import make_stack, make_timeline, new_run, role

    folder = Path(sys.argv[1])
    stack = make_stack(folder / "stack", {"web": role("hungry", declared=8000)}, disks=DISKS)
    disk, web = {"disk": "log"}, {"role": "web"}
    planned = [("disk_full", disk), ("disk_slow", disk), ("memory_pressure", web), ("crash_loop", web)]
    places = {"phase": "calm", "inject_s": 0, "heal_s": 1}
    plan = [
        PlannedFault(name=kind, fault=faults.make(kind, params), params=params, **places) for kind, params in planned
    ]
    run, journal = new_run(folder)
    with LocalEngine().up(replace(make_timeline(stack), faults=tuple(plan)), run, journal) as live:
        for kind, params in planned:
            fault = faults.make(kind, params)
            live.guard(kind, kind=kind, params=params, outlives=False)
            fault.inject(live)
        print(run.id, run.work, flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("guarded", [True, False])
def test_a_mount_and_a_group_do_not_outlive_a_harness_that_was_killed(tmp_path: Path, guarded: bool) -> None:
    if not LocalEngine().capabilities(make_stack(tmp_path, {}, disks=DISKS)) >= {
        "disk:log",
        "slow:log",
        "limit:memory",
    }:
        pytest.skip("takes root, the right to mount, and a memory group")
    (tmp_path / "player.py").write_text(textwrap.dedent(HARNESS))
    project = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory(prefix="handles-") as place:
        Path(place).chmod(0o755)
        env = {**os.environ, "PYTHONPATH": project, "TMPDIR": place}
        argv = [sys.executable, str(tmp_path / "player.py"), str(tmp_path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, text=True) as harness:
            assert harness.stdout
            run_id, work = harness.stdout.readline().split()
            assert f"{work}/web/logs" in mounts(run_id)[0] and groups(run_id)
            children = Path(f"/proc/{harness.pid}/task/{harness.pid}/children").read_text().split()
            for pid in [] if guarded else children:  # the guardian first
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            harness.kill()
        if not guarded:
            assert Path(work).exists()
            subprocess.run([sys.executable, "-c", SWEEP], env=env, check=True, timeout=30)
        deadline = time.monotonic() + 10
        while (mounts(run_id) or groups(run_id) or Path(work).exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (mounts(run_id), groups(run_id), loops(run_id), Path(work).exists(), pids_of_run(run_id)) == (
            [],
            [],
            [],
            False,
            [],
        )
