from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline, new_run, role
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.stack_state import described, folder_of, places_in, read, write_down
from tocsin.harness.engines.guardian.guard_record import GuardRecord
from tocsin.harness.engines.kernel.foreign_process import ForeignProcess, start_time
from tocsin.harness.engines.local.engine import LocalEngine
from tocsin.harness.provisioning.program_lookup import Program


def places(tmp_path: Path) -> Places:
    program = Program(name="p", version="1", path=Path("/bin/p"), origin="PATH", environment={"A": "b"})
    stack = make_stack(tmp_path / "stack", {"web": role(declared=8000)}, edges=["shop -> web"])
    return Places(
        stack=stack,
        work=tmp_path,
        run_id="r1",
        speed=30.0,
        ports={"web": {"http": 18000}},
        programs={"p": program, "q": Program(**{**vars(program), "modules": Path("/lib/q")})},
        edges={("shop", "web"): 18001},
        proxy_control=18002,
    )


def test_places_come_back_as_they_were_written(tmp_path: Path) -> None:
    content = described("local", places(tmp_path), folder=tmp_path / "run", pids={"web": os.getpid()})
    write_down(tmp_path, content)
    again = places_in(read(tmp_path), tmp_path)
    assert again == places(tmp_path) and again.stack.folder == tmp_path / "stack"
    assert again.address("web", caller="shop") == "127.0.0.1:18001"
    assert folder_of(tmp_path) == tmp_path / "run"
    assert list(tmp_path.glob(".stack*")) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"engine": "local"}', '{"engine": "local", "folder": "/x"}'])
def test_a_stack_that_nothing_tells_of_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(StackError, match="No stack can be reached through .*stack.json"):
        attach(tmp_path)
    assert not folder_of(tmp_path / "gone").exists()


def test_a_process_is_known_by_when_it_began() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        since = start_time(process.pid)
        adopted = ForeignProcess(process.pid, since)
        assert since and adopted.poll() is None
        assert ForeignProcess(process.pid, "1").poll() == ForeignProcess.UNKNOWN  # another process has its pid now
        assert ForeignProcess(process.pid, "").poll() == ForeignProcess.UNKNOWN
        with pytest.raises(subprocess.TimeoutExpired):
            adopted.wait(0.01)
        process.kill()
        assert adopted.wait(5.0) == ForeignProcess.UNKNOWN  # a zombie has ended
    finally:
        process.kill()
        process.wait()
    assert start_time(process.pid) == ""


@pytest.mark.e2e
def test_another_process_ends_and_restarts_roles(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack", {"web": role(declared=8000), "shop": role(declared=9000)})
    run, journal = new_run(tmp_path)
    with LocalEngine().up(make_timeline(stack), run, journal) as owner:
        first = attach(run.work, record=tmp_path / "mine.jsonl")
        assert first.alive("web") and first.address("web") == owner.address("web")
        first.guard("outage", kind="kill", params={"role": "web"}, outlives=False)
        first.stop("web", kill=True)
        assert not first.alive("web") and not attach(run.work).alive("web") and first.alive("shop")
        second = attach(run.work)
        assert second.died() == {}
        second.restart("web")
        assert attach(run.work).alive("web") and second.died() == {}
        second.healed("outage")
        assert [fault.name for fault in GuardRecord(tmp_path / "mine.jsonl").unhealed()] == ["outage"]
        assert "outage" in (run.work / "guard.jsonl").read_text()
        assert json.loads((run.work / "stack.json").read_text())["pids"].keys() == {"web", "shop"}
        assert attach(run.work).signal("web", 0) == 1
        gone = attach(run.work, roles_gone=True)
        gone.stop("web")
        gone.restart("web")
        assert not gone.alive("web") and owner.alive("shop"), "as after the end of all processes: nothing is done"
    assert not run.work.exists()
