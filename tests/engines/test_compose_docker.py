"""Which engines are refused, what goes into an image's tag, how a stack is taken down without its harness."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.engines.tiny_stack import make_stack
from tocsin.harness.cli.engine_registry import engine
from tocsin.harness.core.errors import MissingProgram, StackError, UsageError
from tocsin.harness.engines.compose.docker_engine import CliFailed, find_docker
from tocsin.harness.engines.compose.images import content_of, image_variable
from tocsin.harness.engines.compose.removal import take_down, without_frames
from tocsin.harness.engines.compose.resolved_files import Project, clock_offset

INFO = json.dumps({"ServerVersion": "26.1", "SecurityOptions": ["name=seccomp"]})
CLI = """#!/bin/sh
case "$1 $2" in
  "context inspect") echo "$FAKE_HOST";;
  "compose version") [ -n "$FAKE_COMPOSE" ] && echo "$FAKE_COMPOSE" || { echo "unknown command" >&2; exit 1; };;
  "info --format") echo "$FAKE_INFO";;
  *) echo "first line" >&2; echo "the engine is on fire" >&2; exit 3;;
esac
"""


def environ(folder: Path, *, cli: bool = True, **more: str) -> dict[str, str]:
    """An environment whose docker is a script that says what `more` tells."""
    if cli:
        (folder / "docker").write_text(CLI)
        (folder / "docker").chmod(0o755)
    told = {"FAKE_HOST": "unix:///run/d.sock", "FAKE_COMPOSE": "2.26.1", "FAKE_INFO": INFO, **more}
    return {"PATH": f"{folder}:/bin:/usr/bin" if cli else str(folder), **told}


REFUSED = [
    ({"cli": False}, MissingProgram, "no `docker` on the PATH.*Compose v2.*--engine local"),
    ({"DOCKER_HOST": "tcp://10.0.0.7:2376"}, StackError, "at tcp://10.0.0.7:2376, on another machine"),
    ({"DOCKER_HOST": "ssh://me@far"}, StackError, "at ssh://me@far, on another machine"),
    ({"FAKE_HOST": "tcp://far:1"}, StackError, "at tcp://far:1, on another machine"),
    ({"FAKE_COMPOSE": ""}, MissingProgram, "no `compose` command; docker-compose 1 is not enough"),
    ({"FAKE_COMPOSE": "1.29.2"}, MissingProgram, "Compose is 1.29.2; expected 2 or later"),
    ({"FAKE_INFO": '{"ServerErrors": ["permission denied"]}'}, MissingProgram, "cannot be used: permission denied"),
    ({"FAKE_INFO": ""}, MissingProgram, "cannot be used: no answer"),
]


@pytest.mark.parametrize(("more", "kind", "words"), REFUSED)
def test_an_engine_that_cannot_be_used_is_refused_with_a_sentence(
    more: dict[str, Any], kind: type[StackError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words) as refused:
        find_docker(environ(tmp_path, **more))
    assert refused.value.exit_code == 2


def test_an_engine_of_this_machine_is_taken_and_its_cli_is_led_to_it(tmp_path: Path) -> None:
    docker = find_docker(environ(tmp_path, COMPOSE_FILE="other.yaml", DOCKER_CONTEXT="far"))
    assert (docker.host, docker.compose, docker.engine) == ("unix:///run/d.sock", "2.26.1", "26.1")
    assert docker.environment["DOCKER_HOST"] == docker.host and not docker.rootless
    assert not {"COMPOSE_FILE", "DOCKER_CONTEXT"} & set(docker.environment)
    with pytest.raises(CliFailed, match="`docker ps` ended with status 3:\n  first line\n  the engine is on fire"):
        docker.run(["ps"], within_s=5)


NEAR = [(0, os.uname().release, [], True), (1000, os.uname().release, [], False), (0, "6.6.1-vm", [], False),
        (0, os.uname().release, ["name=rootless"], False)]  # fmt: skip


@pytest.mark.parametrize(("uid", "kernel", "options", "near"), NEAR)
def test_it_is_near_only_to_root_on_the_same_kernel(
    uid: int, kernel: str, options: list[str], near: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    info = json.dumps({"ServerVersion": "26.1", "KernelVersion": kernel, "SecurityOptions": options})
    assert find_docker(environ(tmp_path, FAKE_INFO=info)).root_on_host is near


def test_a_rootless_engine_is_known_as_one(tmp_path: Path) -> None:
    info = json.dumps({"ServerVersion": "26.1", "SecurityOptions": ["name=seccomp", "name=rootless"]})
    assert find_docker(environ(tmp_path, FAKE_INFO=info)).rootless


def test_a_tag_follows_what_goes_into_the_image(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM a")
    (context / "app.py").write_text("1")
    (context / ".dockerignore").write_text("*.log\n# a remark\n")
    build: dict[str, Any] = {"context": str(context), "dockerfile": "Dockerfile"}
    first = content_of(build)
    (context / "run.log").write_text("x")
    (context / "__pycache__").mkdir()
    (context / "__pycache__" / "a.pyc").write_text("x")
    assert content_of(build) == first == content_of({**build, "labels": {"a": "b"}})
    seen = {first, content_of({**build, "args": {"A": "1"}}), content_of({**build, "target": "gpu"})}
    (context / "app.py").chmod(0o755)
    seen.add(content_of(build))
    (context / "app.py").write_text("2")
    seen.add(content_of(build))
    assert len(seen) == 5
    with pytest.raises(StackError, match="not a folder of this machine"):
        content_of({"context": "https://example.org/x.git"})


WRITTEN = [
    ("${WEB_IMAGE:-web:1}", {"WEB_IMAGE": "mine"}, True),
    ("${WEB_IMAGE:-web:1}", {"WEB_IMAGE": ""}, False),
    ("${WEB_IMAGE:-web:1}", {}, False),
    ("$WEB_IMAGE", {"WEB_IMAGE": "mine"}, True),
    ("web:1", {"web": "mine"}, False),
    ("", {}, False),
]


@pytest.mark.parametrize(("text", "given", "expected"), WRITTEN)
def test_an_image_named_by_the_environment_is_used_as_it_is(text: str, given: dict[str, str], expected: bool) -> None:
    assert bool(given.get(image_variable({"image": text}))) is expected


def test_a_variant_adds_files_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    files = {"files": ["a.yaml"], "profiles": ["logs"], "variants": {"small": {"files": ["b.yaml"], "profiles": []}}}
    stack = make_stack(tmp_path / "stack", {"web": {"ports": {"http": 1}}}, compose=files)
    for name in ("a.yaml", "b.yaml"):
        (stack.folder / name).write_text("")
    home = str(stack.folder)
    plain_told = ["--project-directory", home, "-f", f"{home}/a.yaml"]
    assert Project(stack=stack).arguments() == [*plain_told, "--profile", "logs"]
    assert Project(stack=stack, variant="small").arguments() == [*plain_told, "-f", f"{home}/b.yaml"]
    with pytest.raises(UsageError, match="got compose:big; expected compose:small"):
        Project(stack=stack, variant="big").arguments()
    (stack.folder / "a.yaml").unlink()
    with pytest.raises(StackError, match=r"has no a.yaml, so it cannot run under Compose"):
        Project(stack=stack).arguments()


def test_the_command_line_names_the_engine_and_its_variant(tmp_path: Path) -> None:
    chosen = engine("compose:rsyslog")
    assert (chosen.variant, engine("compose").variant) == ("rsyslog", None)
    stack = make_stack(tmp_path, {"web": {"ports": {"http": 1}, "local": {"argv": ["x"], "program": "x"}}})
    assert stack.programs == ("x",) and chosen.programs(stack) == ()
    for name in ("podman", "local:rsyslog"):
        with pytest.raises(UsageError, match=f"unknown engine `{name}`"):
            engine(name)


LOGS = [
    (b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x04 two", b"one two"),
    (b"no frames at all", b"no frames at all"),
    (b"", b""),
]


@pytest.mark.parametrize(("stream", "expected"), LOGS)
def test_a_log_is_kept_without_its_frames(stream: bytes, expected: bytes) -> None:
    assert without_frames(stream) == expected


class _Call(BaseHTTPRequestHandler):
    """An engine that has one of everything, and removes it when told unless it is `stubborn`."""

    there: ClassVar[dict[str, str]] = {}
    stubborn: ClassVar[bool] = False

    def do_GET(self) -> None:
        kind = self.path.split("/")[1].partition("?")[0]
        if "/logs" in self.path:
            return self.answer(b"last words")
        if kind == "info":
            return self.answer(json.dumps({"SystemTime": "2001-01-01T00:00:00Z"}).encode())
        rows = [{"Id": name, "Names": [f"/{name}"], "Name": name, "Labels": {"com.docker.compose.service": "web"}}
                for name, its in self.there.items() if its == kind]  # fmt: skip
        self.answer(json.dumps({"Volumes": rows} if kind == "volumes" else rows).encode())

    def do_DELETE(self) -> None:
        if not self.stubborn:
            self.there.pop(self.path.split("/")[2].partition("?")[0], None)
        self.answer(b"{}")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "local"

    def log_message(self, *_: Any) -> None:
        pass


class _Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[tuple[type[_Call], dict[str, str]]]:
    call = type("Call", (_Call,), {"there": {"c1": "containers", "n1": "networks", "v1": "volumes"}})
    with _Engine(str(tmp_path / "d.sock"), call) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (tmp_path / "logs").mkdir()
        yield call, {"docker_host": f"unix://{tmp_path}/d.sock", "logs": str(tmp_path / "logs"), "project": "r"}
        server.shutdown()


def test_everything_of_a_run_is_removed_and_its_last_words_are_kept(
    fake: tuple[type[_Call], dict[str, str]], tmp_path: Path
) -> None:
    call, written = fake
    assert take_down(written, "no-such-run", 5.0) == [] and call.there == {}
    assert (tmp_path / "logs" / "web.log").read_text() == "last words"


def test_what_cannot_be_removed_is_named(fake: tuple[type[_Call], dict[str, str]]) -> None:
    call, written = fake
    call.stubborn = True
    assert take_down(written, "no-such-run", 0.2) == [
        "Container c1 of the run is left.",
        "Network n1 of the run is left.",
        "Volume v1 of the run is left.",
    ]


def test_an_engine_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    left = take_down({"docker_host": f"unix://{tmp_path}/none.sock"}, "no-such-run", 0.2)
    assert len(left) == 1 and "does not answer" in left[0]


def test_the_clock_of_the_containers_is_measured(fake: tuple[type[_Call], dict[str, str]], tmp_path: Path) -> None:
    told = clock_offset(fake[1]["docker_host"])
    assert told["offset_s"] < -700_000_000 and told["uncertain_s"] >= 0
    assert clock_offset(f"unix://{tmp_path}/none.sock")["offset_s"] is None
    assert os.path.exists(tmp_path / "d.sock")
