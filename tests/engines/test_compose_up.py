"""Bringing a compose stack up, with everything that needs an engine replaced: other ports, and the way down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose import engine as compose
from tocsin.harness.engines.compose import take_down
from tocsin.harness.engines.compose.container_places import ContainerPlaces
from tocsin.harness.engines.compose.engine import ComposeEngine, Start
from tocsin.harness.engines.compose.role_limits import handles
from tocsin.harness.engines.kernel import disks, open_files


class FakeStack:
    """Counts how often it was taken down."""

    def __init__(self) -> None:
        self.downs = 0

    def down(self) -> None:
        self.downs += 1


class FakeStart:
    """Comes up, or fails with these sentences one after the other."""

    def __init__(self, run: Any, journal: Any, *sentences: str) -> None:
        self.run, self.journal, self.sentences = run, journal, list(sentences)
        self.made: list[FakeStack] = []

    def prepare(self, config: Any, images: Any) -> FakeStack:
        assert not self.run.guard.needed or self.made, "nothing is there to be cleaned up yet"
        self.made.append(FakeStack())
        return self.made[-1]

    def up(self, live: FakeStack) -> None:
        assert self.run.guard.needed
        if self.sentences:
            raise StackError(self.sentences.pop(0))


TAKEN = "Bind for 127.0.0.1:20001 failed: port is already allocated"
STARTS = [
    ((), 1, [0], ""),
    ((TAKEN,), 2, [1, 0], ""),
    ((TAKEN, TAKEN), 2, [1, 1], "already allocated"),
    (("no such image",), 1, [1], "no such image"),
]


@pytest.mark.parametrize(("sentences", "tries", "downs", "ends_with"), STARTS)
def test_a_taken_port_is_tried_once_more_and_every_failure_is_taken_down(
    sentences: tuple[str, ...], tries: int, downs: list[int], ends_with: str, tmp_path: Path
) -> None:
    run = SimpleNamespace(guard=SimpleNamespace(needed=False), work=tmp_path / "work")
    start: Any = FakeStart(run, SimpleNamespace(note=lambda *_, **__: None), *sentences)
    if ends_with:
        with pytest.raises(StackError, match=ends_with):
            ComposeEngine()._start(start, {}, {})
    else:
        assert ComposeEngine()._start(start, {}, {}) is start.made[-1]
    assert [one.downs for one in start.made] == downs and len(downs) == tries
    assert run.guard.needed is not bool(ends_with)


def test_the_kernel_is_asked_only_about_containers_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((open_files, "able"), (disks, "able"), (disks, "able_to_slow")):
        monkeypatch.setattr(module, name, lambda: True)
    inside = {"role": "web", "path": "{work}/a", "mib": 4, "inside": "/a"}
    own = {"disks": {"seen": inside, "local-only": {**inside, "inside": None}}}
    stack = make_stack(tmp_path / "s", {"web": {"ports": {"http": 1}}}, **own)
    far = handles(stack, near=False)
    assert far == {"start", "signal", "freeze", "run_in", "limit:memory", "disconnect"}
    assert handles(stack, near=True) - far == {"limit:open_files", "disk:seen", "slow:seen"}


def test_whoever_is_not_root_is_let_at_what_containers_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    cli = tmp_path / "docker"
    cli.write_text(f'#!/bin/sh\necho "$DOCKER_HOST $@" > {said}\n')
    cli.chmod(0o755)
    written = {"docker_host": "unix:///d.sock", "cli": str(cli), "image": "py:1", "work": "/w"}
    for uid, expected in ((0, False), (1000, True)):
        monkeypatch.setattr(take_down.os, "geteuid", lambda uid=uid: uid)
        take_down._open_up(written, 5.0)
        assert said.exists() is expected
    words = said.read_text().split()
    assert words[:3] == ["unix:///d.sock", "run", "--rm"] and words[-3:] == ["-R", "a+rwX", "/work"]
    assert "/w:/work" in words and words[-4] == "py:1"


ADDRESSES = [("web", None, None, "web:8000"), ("web", "control", "shop", "web:8001"),
             ("web", None, "shop", "tocsin-proxy:20007"), ("web", None, "clients", "web:8000")]  # fmt: skip


@pytest.mark.parametrize(("role", "port", "caller", "expected"), ADDRESSES)
def test_inside_roles_are_called_by_name_or_through_the_proxy(
    role: str, port: str | None, caller: str | None, expected: str, tmp_path: Path
) -> None:
    stack = make_stack(tmp_path / "s", {"web": {"ports": {"http": 8000, "control": 8001}}, "shop": {"ports": {"a": 1}}})
    ports = {"web": {"http": 20001, "control": 20002}, "shop": {"a": 20003}}
    here = Places(stack=stack, work=tmp_path, run_id="r", speed=1, ports=ports, edges={("shop", "web"): 20007})
    assert ContainerPlaces.of(here, {}).address(role, port, caller=caller) == expected
    with pytest.raises(StackError, match="'cat' does not run here"):
        ContainerPlaces.of(here, {}).address("cat")


def test_an_engine_needs_a_stack_with_a_compose_file_before_it_asks_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(tmp_path / "s", {"web": {"ports": {"http": 1}}})
    monkeypatch.setattr(compose, "find_docker", lambda: SimpleNamespace(near=False))
    with pytest.raises(StackError, match=r"has no compose.yaml, so it cannot run under Compose"):
        ComposeEngine().handles(stack)
    (stack.folder / "compose.yaml").write_text("")
    assert "limit:memory" in ComposeEngine().handles(stack)


def test_disks_are_mounted_once_they_are_sure_to_be_taken_away_and_before_folders_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = {"ports": {"http": 8000}, "compose": {"folders": ["{work}/logs/state"]}}
    disk = {"role": "web", "path": "{work}/logs", "mib": 4, "inside": "/logs"}
    stack = make_stack(tmp_path / "s", {"web": web}, disks={"log": disk})
    full: Any = SimpleNamespace(kind="disk_full", params={"disk": "log"})
    timeline = replace(make_timeline(stack), faults=(full,))
    work, folder = tmp_path / "work", tmp_path / "run"
    work.mkdir()
    folder.mkdir()
    seen = []

    def mounted(disks: Any, *_: Any) -> None:
        written = json.loads((work / "engine.json").read_text())
        assert written["mounts"] == [str(place) for place in disks.values()] == [str(work / "logs")]
        seen.append((work / "logs").exists())
        (work / "logs").mkdir(mode=0o700)

    monkeypatch.setattr(compose, "mount_all", mounted)
    monkeypatch.setattr(compose, "ComposeStack", SimpleNamespace)
    run: Any = SimpleNamespace(id="r-1", work=work, folder=folder)
    docker: Any = SimpleNamespace(host="unix:///d", cli="docker", rootless=False, near=True, engine="26.1")
    journal: Any = None
    start = Start(timeline=timeline, run=run, journal=journal, docker=docker)
    live = start.prepare({"services": {"web": {"image": "web:1"}}}, {"web": "web:1"})
    assert seen == [], "until the guardian knows that it is needed nothing may be mounted"
    start.make_places(live.places)
    assert seen == [False] and (work / "logs").stat().st_mode & 0o777 == 0o777
    assert (work / "logs" / "state").is_dir(), "made on the disk, not hidden below it"
