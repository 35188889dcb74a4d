"""The same stack under Docker Compose: a drill passes, goes red with a broken rule, and leaves nothing however it ends.

Skipped, with the reason, where no Docker engine is. The images are those of compose.yaml, or stand-ins named by the
environment (tests/docker/images.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.containers import NULL, SHORT, SPEED, engine, facts, kill, left
from tests.e2e.drills import Played, copy_stack, finished, start
from tests.e2e.removing import remove_alert
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.compose.docker_engine import Docker
from tocsin.harness.engines.compose.images import Images, sweep_images
from tocsin.harness.engines.compose.sidecar_containers import python_image

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def docker() -> Docker:
    return engine()


def play(folder: Path, *more: str) -> Played:
    scenario = folder / "contained.yaml"
    scenario.write_text(json.dumps(SHORT, indent=1), encoding="utf-8")
    argv = ("run", str(scenario), "--engine", "compose:rsyslog", "--speed", SPEED, *more)
    return finished(start(folder / "runs", *argv), folder / "runs", "contained")


def test_a_drill_passes_and_leaves_nothing(docker: Docker, tmp_path: Path) -> None:
    played = play(tmp_path)
    assert played.code == 0, played.output
    assert played.folder is not None and left(docker, played.folder.name) == {}
    logs = {path.stem for path in (played.folder / "stack-logs").glob("*.log")}
    assert {"model", "prometheus", "alertmanager", "elasticsearch", "shipper", "pager", "tocsin-proxy"} <= logs


def test_a_broken_rule_turns_it_red(docker: Docker, tmp_path: Path) -> None:
    stack = copy_stack(tmp_path / "stack")
    remove_alert(stack, "HighErrorRate")
    played = play(tmp_path, "--stack", str(stack))
    assert played.code == 1, played.output
    fired = {answer: reason for answer, reason in played.answers("alerts/fire") if "HighErrorRate" in reason}
    assert list(fired) == ["fail"], played.output
    assert played.folder is not None and left(docker, played.folder.name) == {}


def made(runs: Path, run_id: str) -> object:
    """The first container is there: Compose is at work."""
    return run_id and left(engine(), run_id).get("containers")


def broken(runs: Path, run_id: str) -> object:
    """A fault is on."""
    return "injected" in facts(runs)


@pytest.mark.parametrize("ready", [made, broken])
def test_nothing_is_left_after_sigkill(docker: Docker, ready: Callable[[Path, str], object]) -> None:
    row = kill(docker, NULL, ready)
    assert row["were"], "nothing was there to be taken down"
    assert row["left"] == {}, row


def test_an_image_is_built_once_by_its_content_and_swept(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY app.txt /app.txt\n")
    (tmp_path / "app.txt").write_text("one")
    build = {"context": str(tmp_path), "dockerfile": "Dockerfile", "args": {"BASE": python_image()}}
    config = {"services": {"web": {"build": build}}}
    told: list[str] = []
    images = Images(docker=docker, stack="built", log=tmp_path.parent / "build.log", report=told.append)
    work = tmp_path.parent
    first = images.bring(config, config, work=work, more=python_image())
    assert [sentence.split()[0] for sentence in told] == ["Building", "Built"], told
    assert images.bring(config, config, work=work, more=python_image()) == first and len(told) == 2
    (tmp_path / "app.txt").write_text("two")
    second = images.bring(config, config, work=work, more=python_image())
    assert second != first and len(told) == 4
    assert {*first.values(), *second.values()} == set(sweep_images(docker, "tocsin/built-*"))
    assert not images.here(second["web"]) and images.here(python_image())


def test_an_image_that_cannot_be_had_is_named(docker: Docker, tmp_path: Path) -> None:
    images = Images(docker=docker, stack="none", log=tmp_path / "pull.log")
    config = {"services": {"web": {"image": "127.0.0.1:9/no-such-image:1"}}}
    with pytest.raises(StackError, match="Image 127.0.0.1:9/no-such-image:1 is not here and cannot be pulled"):
        images.bring(config, config, work=tmp_path, more=python_image())
