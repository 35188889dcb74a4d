"""Bringing a compose stack up, with everything that needs a Docker engine replaced."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.host_capabilities import HostNeeds
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose import engine as compose
from tocsin.harness.engines.compose import removal
from tocsin.harness.engines.compose.container_places import ContainerPlaces
from tocsin.harness.engines.compose.engine import ComposeAttempt, ComposeEngine
from tocsin.harness.engines.compose.role_limits import capabilities
from tocsin.harness.engines.kernel import disks, open_files
from tocsin.harness.faults import make


def test_the_kernel_is_asked_only_about_containers_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((open_files, "can_limit"), (disks, "can_mount"), (disks, "can_slow")):
        monkeypatch.setattr(module, name, lambda: True)
    inside = {"role": "web", "path": "{work}/a", "mib": 4, "inside": "/a"}
    own = {"disks": {"seen": inside, "local-only": {**inside, "inside": None}}}
    stack = make_stack(tmp_path / "s", {"web": {"ports": {"http": 1}}}, **own)
    far = capabilities(stack, root_on_host=False)
    assert far == {"start", "signal", "freeze", "run_in", "limit:memory", "disconnect"}
    assert capabilities(stack, root_on_host=True) - far == {"limit:open_files", "disk:seen", "slow:seen"}


def test_whoever_is_not_root_is_let_at_what_containers_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    cli = tmp_path / "docker"
    cli.write_text(f'#!/bin/sh\necho "$DOCKER_HOST $@" > {said}\n')
    cli.chmod(0o755)
    written = {"docker_host": "unix:///d.sock", "cli": str(cli), "image": "py:1", "work": "/w"}
    for uid, expected in ((0, False), (1000, True)):
        monkeypatch.setattr(removal.os, "geteuid", lambda uid=uid: uid)
        removal._make_removable(written, 5.0)
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
    monkeypatch.setattr(compose, "find_docker", lambda: SimpleNamespace(root_on_host=False))
    with pytest.raises(StackError, match=r"has no compose.yaml, so it cannot run under Compose"):
        ComposeEngine().capabilities(stack)
    (stack.folder / "compose.yaml").write_text("")
    assert "limit:memory" in ComposeEngine().capabilities(stack)


def test_disks_are_mounted_once_they_are_sure_to_be_taken_away_and_before_folders_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = {"ports": {"http": 8000}, "compose": {"folders": ["{work}/logs/state"]}}
    disk = {"role": "web", "path": "{work}/logs", "mib": 4, "inside": "/logs"}
    stack = make_stack(tmp_path / "s", {"web": web}, disks={"log": disk})
    full: Any = SimpleNamespace(fault=make("disk_full", {"disk": "log"}))
    timeline = replace(make_timeline(stack), faults=(full,))
    work, folder = tmp_path / "work", tmp_path / "run"
    work.mkdir()
    folder.mkdir()
    seen = []

    def mounted(needs: HostNeeds, places: Places) -> None:
        written = json.loads((work / "engine.json").read_text())
        assert written["mounts"] == [str(folder) for folder in needs.mount_points(places).values()]
        assert written["mounts"] == [str(work / "logs")]
        seen.append((work / "logs").exists())
        (work / "logs").mkdir(mode=0o700)

    monkeypatch.setattr(HostNeeds, "mount_all", mounted)
    monkeypatch.setattr(compose.ComposeBackend, "of", lambda places, *_: SimpleNamespace(places=places))
    run: Any = SimpleNamespace(id="r-1", work=work, folder=folder)
    docker: Any = SimpleNamespace(host="unix:///d", cli="docker", rootless=False, root_on_host=True, engine="26.1")
    journal: Any = None
    config = {"services": {"web": {"image": "web:1"}}}
    attempt = ComposeAttempt(
        timeline=timeline, run=run, journal=journal, docker=docker, config=config, images={"web": "web:1"}
    )
    backend = attempt.prepare()
    assert seen == [], "until the guardian knows that it is needed nothing may be mounted"
    attempt.make_folders(backend.places)
    assert seen == [False] and (work / "logs").stat().st_mode & 0o777 == 0o777
    assert (work / "logs" / "state").is_dir(), "made on the disk, not hidden below it"
