from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.faults.fake_live import fault_stack
from tests.faults.processes import live_process, until
from tocsin.harness.faults import make

FAULT = make("cpu_hog", {"processes": 2, "nice": 19})


def test_it_uses_processor_time_until_healed(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        assert FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        FAULT.inject(live)
        assert len(live.spawned) == 2
        assert until(lambda: FAULT.witness(live).state == "present", 20)
        assert {psutil.Process(process.pid).nice() for process in live.spawned} == {19}
        FAULT.heal(live)
        FAULT.heal(live)
        assert FAULT.witness(live).state == "absent"


def test_processes_that_do_not_spin_are_not_believed(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        FAULT.inject(live)
        for process in live.spawned:
            psutil.Process(process.pid).suspend()
        assert FAULT.witness(live).state == "cannot_tell"
        FAULT.heal(live)
        assert FAULT.witness(live).state == "absent"


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tocsin.harness.faults import make
from tests.faults.processes import LiveProcess
live = LiveProcess("127.0.0.1:1", Path({str(tmp_path)!r}))
make("cpu_hog", {{}}).inject(live)
live.process.kill()
print(live.spawned[0].pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    assert until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 20)


@pytest.mark.parametrize("params", [{"processes": 0}, {"processes": 65}, {"nice": 0}, {"nice": 20}])
def test_parameters_are_bounded(params: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="processes|nice"):
        make("cpu_hog", params)


def test_it_blinds_and_needs_nothing() -> None:
    assert FAULT.blinds(fault_stack()) == FAULT.needs() == ()
