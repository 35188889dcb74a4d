from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline, new_run, role
from tocsin.harness.core.errors import MissingProgram, RoleDied, StackError, WaitTimeout
from tocsin.harness.core.http import call
from tocsin.harness.core.journal import read_journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common import bring_up
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.kernel.run_processes import pids_of_run
from tocsin.harness.engines.local import engine
from tocsin.harness.engines.local.engine import LocalEngine
from tocsin.harness.provisioning.program_lookup import Program

pytestmark = pytest.mark.e2e


@contextmanager
def up(tmp_path: Path, stack: Stack, speed: float = 1.0) -> Iterator[tuple[RunningStack, Run]]:
    run, journal = new_run(tmp_path, speed)
    with LocalEngine().up(make_timeline(stack, speed), run, journal) as live:
        yield live, run


def ask(live: RunningStack, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(call("GET", live.address(name), "/")[1])
    return content


def nothing_left(run: Run) -> bool:
    return not pids_of_run(run.id) and not run.work.exists()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return make_stack(tmp_path / "stack", {"web": role(declared=8000), "shop": role("deaf", declared=9000, stop_s=0.3)})


def test_up_and_down_leave_nothing_but_the_run_directory(tmp_path: Path, stack: Stack) -> None:
    with up(tmp_path, stack) as (live, run):
        assert call("GET", live.address("web"), "/")[0] == 200
        assert live.alive("web") and live.alive("shop") and live.died() == {}
        written = json.loads((run.work / "stack.json").read_text())
        assert written["addresses"]["web"]["http"] == live.address("web")
        assert sorted(written["pids"].values()) == sorted(pids_of_run(run.id))
        began = time.monotonic()
    assert time.monotonic() - began < 5  # though `shop` does not heed SIGTERM
    assert nothing_left(run)
    facts = [fact.fact for fact in read_journal(run.folder / "journal.jsonl")]
    assert sorted(facts) == ["role_healthy", "role_healthy", "stack_down", "stack_up"]
    assert facts[-2:] == ["stack_up", "stack_down"]
    assert "hello from" in (run.folder / "stack-logs" / "web.log").read_text()


def test_roles_start_side_by_side(tmp_path: Path) -> None:
    slow = {"http": "/", "within_s": 10.0}
    roles = {f"web{n}": role(declared=8000 + n, health=slow) for n in range(4)}
    stack = make_stack(tmp_path / "stack", roles)
    with up(tmp_path, stack) as (_, run):
        healthy = [fact.more["took_s"] for fact in read_journal(run.folder / "journal.jsonl") if "role" in fact.more]
        (took,) = [f.more["took_s"] for f in read_journal(run.folder / "journal.jsonl") if f.fact == "stack_up"]
    assert len(healthy) == 4
    assert took < sum(healthy)


def test_a_child_knows_its_run_and_the_divided_timers(tmp_path: Path) -> None:
    web = role(declared=8000, env={"GREETING": "{run_id} at {address:web}, {duration:1m}, {data}"})
    stack = make_stack(tmp_path / "stack", {"web": web}, timers={"web": {"WINDOW_S": "5m"}})
    with up(tmp_path, stack, speed=30) as (live, run):
        env = ask(live, "web")["env"]
        assert isinstance(env, dict)
        assert env["TOCSIN_RUN_ID"] == run.id
        assert env["WINDOW_S"] == "10"
        assert env["GREETING"] == f"{run.id} at {live.address('web')}, 2s, {run.work}/web"
        child = live.spawn([sys.executable, "-c", "import tocsin.harness.sidecars.pager"], name="import", cwd="/")
        assert child.wait(20) == 0


def test_put_files_are_handed_in_after_health_and_after_a_restart(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack", {"web": role(declared=8000, put={"/template": "{stack}/template.json"})})
    (stack.folder / "template.json").write_text('{"a": 1}')
    with up(tmp_path, stack) as (live, _):
        assert ask(live, "web")["told"] == [["/template", '{"a": 1}']]
        live.stop("web")
        live.restart("web")
        assert ask(live, "web")["told"] == [["/template", '{"a": 1}']]


FAILURES = [
    ("dies", {}, RoleDied, ["web to answer 200", "ended with status 3", "the cellar is flooded"]),
    (
        "sick",
        {"health": {"http": "/", "within_s": 2.5}},
        WaitTimeout,
        ["web to answer 200", "status 503", "hello from"],
    ),
    ("healthy", {"health": {"file": "{data}/never", "within_s": 0.4}}, WaitTimeout, ["to write", "/web/never"]),
    ("refuses", {"put": {"/t": "{stack}/server.py"}}, StackError, ["answered 400 to PUT /t", "no such thing"]),
    ("x", {"env": {"A": "{prot}"}}, StackError, ["'web' says {prot}", "{port:NAME}"]),
    ("x", {"copy": {"{stack}/absent": "{data}/absent"}}, StackError, ["Cannot copy {stack}/absent"]),
    ("x", {"cwd": "/nowhere/at/all"}, StackError, ["Cannot start web", "/nowhere/at/all"]),
]


@pytest.mark.parametrize(("how", "more", "error", "words"), FAILURES)
def test_a_stack_that_does_not_come_up_says_why_and_is_gone(
    tmp_path: Path, how: str, more: dict[str, object], error: type[StackError], words: list[str]
) -> None:
    stack = make_stack(tmp_path / "stack", {"shop": role(declared=9000), "web": role(how, declared=8000, **more)})
    run, journal = new_run(tmp_path)
    with pytest.raises(error) as raised, LocalEngine().up(make_timeline(stack), run, journal):
        pytest.fail("it came up")
    assert [word for word in words if word not in str(raised.value)] == []
    assert nothing_left(run)


def test_health_by_file_wants_a_fresh_one_after_a_restart(tmp_path: Path) -> None:
    web = role("writes", "{data}/ready", declared=8000, health={"file": "{data}/ready", "within_s": 10.0})
    with up(tmp_path, make_stack(tmp_path / "stack", {"web": web})) as (live, run):
        assert (run.work / "web" / "ready").read_text() == "ready"
        live.stop("web", kill=True)
        live.restart("web")
        assert (run.work / "web" / "ready").read_text() == "readyready"


@pytest.mark.parametrize("kill", [True, False])
def test_a_stopped_role_comes_back_on_the_same_port(tmp_path: Path, stack: Stack, kill: bool) -> None:
    with up(tmp_path, stack) as (live, _):
        address, before = live.address("web"), ask(live, "web")["pid"]
        live.stop("web", kill=kill)
        assert not live.alive("web")
        assert live.died() == {}
        with pytest.raises(ConnectionRefusedError):
            call("GET", address, "/")
        live.restart("web")
        assert live.address("web") == address and live.alive("web")
        assert ask(live, "web")["pid"] != before
        live.restart("web")  # one that runs is left alone
        assert ask(live, "web")["pid"] != before


def test_a_role_that_ends_unasked_is_named(tmp_path: Path, stack: Stack) -> None:
    with up(tmp_path, stack) as (live, run):
        os.kill(int(str(ask(live, "web")["pid"])), 9)
        run.clock.wait_until(lambda: (bool(live.died()), "alive"), awaited="the death", within_s=5)
        assert list(live.died()) == ["web"]
        assert "was ended by SIGKILL" in live.died()["web"] and "hello from" in live.died()["web"]
        live.restart("web")
        assert live.died() == {}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_inside_the_stack_goes_down(
    tmp_path: Path, stack: Stack, error: type[BaseException]
) -> None:
    with pytest.raises(error), up(tmp_path, stack) as (live, run):
        live.spawn([sys.executable, "-c", "import time; time.sleep(60)"], name="sleeper")
        raise error
    assert nothing_left(run)


def test_a_down_that_is_interrupted_is_finished_by_the_guardian(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), up(tmp_path, stack) as (_, run):
        monkeypatch.setattr(RunningStack, "down", interrupted)
    assert nothing_left(run)
    cleaned = [fact for fact in read_journal(run.folder / "journal.jsonl") if fact.fact == "guardian_cleaned"]
    assert [fact.more["killed"] for fact in cleaned] == [2]


def test_a_paused_role_does_not_hold_the_way_down_up(tmp_path: Path, stack: Stack) -> None:
    with up(tmp_path, stack) as (live, run):
        os.kill(int(str(ask(live, "web")["pid"])), signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 1.5  # its patience is 2 s
    assert nothing_left(run)


def test_children_of_children_go_too(tmp_path: Path, stack: Stack) -> None:
    daemon = (
        "import subprocess, sys; subprocess.Popen(['sleep', '60'], start_new_session=True, stdout=2); print('started')"
    )
    with up(tmp_path, stack) as (live, run):
        child = live.spawn([sys.executable, "-c", daemon], name="daemon", stdout=subprocess.PIPE)
        assert child.communicate(timeout=10)[0] == b"started\n"
        assert len(pids_of_run(run.id)) == 3
    assert nothing_left(run)


def test_a_taken_port_is_answered_with_others(tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = [taken.getsockname()[1], bring_up.choose_ports(1)[0]]
        answers = iter([first, bring_up.choose_ports(2)])
        monkeypatch.setattr(bring_up, "choose_ports", lambda _: next(answers))
        with up(tmp_path, stack) as (live, run):
            assert live.address("web") != f"127.0.0.1:{first[0]}"
        (error,) = [fact for fact in read_journal(run.folder / "journal.jsonl") if fact.fact == "error"]
    assert "in use" in error.more["message"]


def test_two_stacks_at_once_do_not_disturb_each_other(tmp_path: Path, stack: Stack) -> None:
    with up(tmp_path / "a", stack) as (one, first):
        with up(tmp_path / "b", stack) as (two, second):
            assert {one.address("web"), one.address("shop")}.isdisjoint({two.address("web"), two.address("shop")})
        assert nothing_left(second)
        assert ask(one, "web")["pid"] in pids_of_run(first.id)
        assert one.died() == {}
    assert nothing_left(first)


def test_what_is_missing_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def find_all(names: list[str], cache: Path) -> dict[str, Program]:
        asked.extend(names)
        raise MissingProgram("Missing: all of them.")

    monkeypatch.setattr(engine.programs, "find_all", find_all)
    roles = {"a": role(declared=1, program="prometheus"), "b": role(declared=2, program="alertmanager")}
    run, journal = new_run(tmp_path)
    with (
        pytest.raises(MissingProgram),
        LocalEngine().up(make_timeline(make_stack(tmp_path / "stack", roles)), run, journal),
    ):
        pytest.fail("it came up")
    assert asked == ["alertmanager", "prometheus"]
    assert nothing_left(run)
    assert [path.name for path in (run.folder / "stack-logs").iterdir()] == ["guardian.log"]


@pytest.mark.parametrize(
    ("what", "have", "words"),
    [("disk_free_mib", 499, "499 MiB free"), ("memory_mib", 29, "29 MiB of memory left; stack 'tiny' takes 30")],
)
def test_no_room_is_said_before_anything_starts(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch, what: str, have: int, words: str
) -> None:
    monkeypatch.setattr(engine.programs, what, lambda *_: have)
    run, journal = new_run(tmp_path)
    with pytest.raises(StackError, match=words), LocalEngine().up(make_timeline(stack), run, journal):
        pytest.fail("it came up")
    assert nothing_left(run)


def test_third_party_servers_do_not_run_as_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives its rights away")
    python = Program(name="small", version="1", path=Path("/usr/bin/env"), origin="PATH", environment={"SMALL": "yes"})
    web = {
        "ports": {"http": 8000},
        "local": {
            "program": "small",
            "argv": ["{program}", "sh", "-c", "echo $(id -u) $SMALL $HOME > {data}/a/who; sleep 60"],
            "folders": ["{data}/a"],
            "health": {"file": "{data}/a/who", "within_s": 5.0},
        },
    }
    stack = make_stack(tmp_path / "stack", {"web": web})
    run, journal = new_run(tmp_path)
    run = Run(**{**vars(run), "programs": {"small": python}})
    with LocalEngine().up(make_timeline(stack), run, journal):
        run.clock.wait_until(
            lambda: (bool((run.work / "web/a/who").read_text()), "empty"), awaited="the file", within_s=5
        )
        uid, small, home = (run.work / "web/a/who").read_text().split()
    assert (int(uid) > 0, small, home) == (True, "yes", f"{run.work}/web")
    assert nothing_left(run)


def test_the_guard_record_holds_every_fault_from_every_thread(tmp_path: Path, stack: Stack) -> None:
    with up(tmp_path, stack) as (live, run):
        more = [{"kind": "kill", "params": {"role": str(n)}, "outlives": False} for n in range(8)]
        threads = [threading.Thread(target=live.guard, args=("kill",), kwargs=one) for one in more]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = [json.loads(line) for line in (run.work / "guard.jsonl").read_text().splitlines()]
    assert sorted(line["params"]["role"] for line in lines) == [str(n) for n in range(8)]
    assert {line["fault"] for line in lines} == {"kill"}


def test_the_prober_is_whoever_was_attached(tmp_path: Path, stack: Stack) -> None:
    class Always:
        def probe(self, count: int) -> list[int]:
            return [200] * count

    with up(tmp_path, stack) as (live, _):
        with pytest.raises(StackError, match="No canary process"):
            _ = live.prober
        live.attach_prober(Always())
        assert live.prober.probe(2) == [200, 200]
        with pytest.raises(StackError, match="Role 'nobody' does not run here; those that do: web, shop"):
            live.stop("nobody")
        with pytest.raises(StackError, match="no port 'grpc'; it has http"):
            live.address("web", "grpc")
