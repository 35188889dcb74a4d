"""Limits of a container and its networks, on an engine that is played by a small class."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from tests.engines.tiny_stack import make_stack
from tests.fake_clock import FakeClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose import container as compose_container
from tocsin.harness.engines.compose import role_limits
from tocsin.harness.engines.compose.compose_backend import ContainerRole
from tocsin.harness.engines.compose.container import Container
from tocsin.harness.engines.compose.role_limits import ContainerLimits

MIB = 1 << 20
ID = "f00d" * 16


class FakeApi:
    """One container that holds `held` MiB; under `version` 1 no limit falls below that until more is asked for."""

    def __init__(self, *, held: int = 100, limit: int = 0, version: int = 2, pid: int = 0) -> None:
        self.held, self.limit, self.version, self.pid = held * MIB, limit * MIB, version, pid
        self.runs, self.killed = True, False
        self.paused, self.pauses, self.restless = False, 0, 0
        self.networks: dict[str, Any] = {"r_default": {"Aliases": ["web", ID[:12]]}, "r_back": {"Aliases": None}}
        self.joined: list[tuple[str, list[str]]] = []

    def inspect_container(self, identity: str) -> dict[str, Any]:
        state = {"Running": self.runs, "OOMKilled": self.killed, "Pid": self.pid, "StartedAt": "2026-01-01T00:00:00Z"}
        state["Paused"] = self.paused
        return {"State": state, "HostConfig": {"Memory": self.limit}, "NetworkSettings": {"Networks": self.networks}}

    def info(self) -> dict[str, Any]:
        return {"MemTotal": 8000 * MIB}

    def stats(self, identity: str, **_: Any) -> dict[str, Any]:
        held = {"usage": self.held, "limit": self.limit or 8000 * MIB, "stats": {"inactive_file": 30 * MIB}}
        return {"memory_stats": held if self.runs else {}}

    def update_container(self, identity: str, *, mem_limit: int, memswap_limit: int) -> None:
        assert mem_limit == memswap_limit
        if self.runs and mem_limit < self.held:
            if self.version == 1:
                response: Any = SimpleNamespace(status_code=500, reason="no", url="", content=b"")
                raise APIError("no", response=response, explanation="unable to set memory limit to 1 (current usage 2)")
            self.kill()
        self.limit = mem_limit

    def kill(self) -> None:
        self.runs, self.killed = False, True

    def pause(self, identity: str) -> None:
        self.pauses += 1
        if self.pauses <= self.restless:
            raise APIError("no", explanation="OCI runtime pause failed: unable to freeze: unknown")
        if not self.runs:
            raise APIError("no", explanation="it does not run")
        self.paused = True

    def exec_create(self, identity: str, argv: list[str]) -> dict[str, str]:
        assert argv[0] == "dd", "only what asks for memory is run"
        self.kill()
        raise APIError("the container is gone")

    def disconnect_container_from_network(self, identity: str, network: str, *, force: bool) -> None:
        del self.networks[network]

    def connect_container_to_network(self, identity: str, network: str, *, aliases: list[str]) -> None:
        self.joined.append((network, aliases))
        self.networks[network] = {"Aliases": aliases}


def container(api: FakeApi) -> Container:
    clock: Any = SimpleNamespace(now=lambda: 0.0)
    places: Any = None
    return Container(name="web", id=ID, api=api, places=places, clock=clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [1, 2])
def test_what_holds_more_than_its_limit_is_killed_under_both_versions(version: int, tmp_path: Path) -> None:
    api = FakeApi(version=version, limit=512)
    limits = ContainerLimits(container=container(api), work=tmp_path)
    assert "memory_limit_mib" not in limits.usage() and limits.usage()["memory_mib"] == 70
    limits.set({"memory_mib": 50})
    assert not api.runs and limits.usage()["oom_kills"] == 1
    assert api.limit == 50 * MIB, "what is started next has the limit, until it is lifted"
    ContainerLimits(container=container(api), work=tmp_path).lift()  # by another process
    limits.lift()
    assert api.limit == 512 * MIB, "the limit of the compose file stands again"
    assert "memory_mib" not in limits.usage(), "no figure of what does not run: 0 would look like a leak that is gone"


@pytest.mark.parametrize(("before", "after"), [(0, 8000), (256, 256)])
def test_a_limit_above_what_is_held_leaves_it_alive_and_is_told_while_it_stands(
    before: int, after: int, tmp_path: Path
) -> None:
    api = FakeApi(limit=before)
    limits = ContainerLimits(container=container(api), work=tmp_path)
    limits.set({"memory_mib": 102})
    limits.set({"memory_mib": 103})
    seen = limits.usage()
    assert api.runs and (seen["memory_mib"], seen["memory_limit_mib"]) == (100, 103)
    limits.lift()
    assert "memory_limit_mib" not in limits.usage() and api.limit == after * MIB


def test_a_limit_that_is_never_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role_limits, "_WITHIN_S", 0.0)
    api = FakeApi(version=1)
    monkeypatch.setattr(api, "kill", lambda: None)
    with pytest.raises(StackError, match="web still holds 100 MiB, more than 50"):
        ContainerLimits(container=container(api), work=tmp_path).set({"memory_mib": 50})


def named_after_it(folder: Path, groups: str, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel say that a process is in these control groups."""
    (folder / "proc" / str(pid)).mkdir(parents=True)
    (folder / "proc" / str(pid) / "cgroup").write_text(groups)
    monkeypatch.setattr(role_limits, "_PROC", folder / "proc")


def test_open_files_are_limited_only_of_a_process_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = ContainerLimits(container=container(FakeApi(pid=os.getpid())), work=tmp_path)
    with pytest.raises(StackError, match="web has no process on this machine"):
        limits.set({"open_files": 200})  # the pid is another machine's: this process is in no group of that name
    assert "open_files_limit" not in limits.usage()
    named_after_it(tmp_path, f"0::/docker/{ID}\n", os.getpid(), monkeypatch)
    limits.set({"open_files": 200})
    try:
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200
        assert limits.usage()["open_files_limit"] == 200 and limits.usage()["open_files"] > 0
    finally:
        limits.lift()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


GROUPS = [
    (f"9:cpu:/x\n7:blkio:/docker/{ID}\n0::/y", f"blkio/docker/{ID}"),
    (f"0::/system.slice/docker-{ID}.scope\n", f"system.slice/docker-{ID}.scope"),
]


@pytest.mark.parametrize(("groups", "place"), GROUPS)
def test_writes_are_slowed_in_the_containers_own_group(
    groups: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named_after_it(tmp_path, groups, 1, monkeypatch)
    writes = ContainerLimits(container=container(FakeApi(pid=1)), work=tmp_path, folders=(tmp_path,))._write_cgroup()
    assert writes.path == role_limits.ROOT / place and writes.folders == (tmp_path,)


def test_a_role_leaves_every_network_and_comes_back_under_its_names(tmp_path: Path) -> None:
    api = FakeApi()
    places = Places(stack=make_stack(tmp_path / "s", {}), work=tmp_path, run_id="r", speed=1.0, ports={})
    others: Any = None
    role = ContainerRole(name="web", id=ID, api=api, places=places, clock=FakeClock(), run_containers=others)  # type: ignore[arg-type]
    role.reconnect()
    assert api.joined == [] and role.networks() == ("r_default", "r_back")
    role.disconnect()
    role.disconnect()
    assert role.networks() == ()
    assert json.loads((tmp_path / "networks-web.json").read_text()) == {"r_default": ["web"], "r_back": []}
    role.reconnect()
    role.reconnect()
    assert api.joined == [("r_default", ["web"]), ("r_back", [])]


def test_a_container_that_did_not_come_to_rest_is_frozen_at_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    api.restless = 2
    container(api).freeze()
    container(api).freeze()
    assert api.paused and api.pauses == 3
    never = FakeApi()
    never.restless = 1000
    monkeypatch.setattr(compose_container, "_FREEZE_S", 0.0)
    with pytest.raises(StackError, match="did not freeze web: .*unable to freeze"):
        container(never).freeze()
    ended = FakeApi()
    ended.runs = False
    with pytest.raises(StackError, match="it does not run"):
        container(ended).freeze()
    assert ended.pauses == 1, "only what may pass is tried again"
