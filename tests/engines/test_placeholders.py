from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.engines.tiny_stack import make_stack, role
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.provisioning.program_lookup import Program

PROGRAM = Program(name="small", version="1", path=Path("/opt/small"), origin="PATH", modules=Path("/opt/modules"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    web = role(declared=8000, program="small")
    web["ports"] = {"http": 8000, "control": 8001}
    stack = make_stack(tmp_path / "stack", {"web": web, "plain": role(declared=1)})
    ports = {"web": {"http": 20001, "control": 20002}, "plain": {"http": 20003}}
    return Places(stack=stack, work=Path("/w"), run_id="r-1", speed=30, ports=ports, programs={"small": PROGRAM})


FILLED = [
    ("{program} -M{modules}", "/opt/small -M/opt/modules"),
    ("{python}", sys.executable),
    ("{config}/a {work}/b {data}/c", "/w/config/a /w/b /w/web/c"),
    ("{run_id}", "r-1"),
    ("{port} {port:control}", "20001 20002"),
    ("{address:plain} {address:web:control}", "127.0.0.1:20003 127.0.0.1:20002"),
    ("{duration:5m} {duration:1h} {duration:10ms} {duration:1ms}", "10s 2m 1ms 1ms"),
    ("{seconds:60s} {seconds:10s}", "2 0.333333"),
    ("nothing, $row, {}, { spaced }, {Upper}", "nothing, $row, {}, { spaced }, {Upper}"),
]


@pytest.mark.parametrize(("text", "expected"), FILLED)
def test_placeholders_are_filled(places: Places, text: str, expected: str) -> None:
    assert places.fill(text, "web") == expected


def test_the_stack_folder_is_absolute(places: Places) -> None:
    assert places.fill("{stack}/a") == f"{places.stack.folder}/a"


UNKNOWN = [
    ("{prot}", "web", "{prot}"),
    ("{data}", None, "{data}"),
    ("{port}", None, "{port}"),
    ("{port:control}", None, "{port:control}"),
    ("{program}", "plain", "{program}"),
    ("{modules}", "plain", "{modules}"),
    ("{run_id:x}", "web", "{run_id:x}"),
    ("{duration:soon}", "web", "'soon' is not a duration"),
    ("{address:nobody}", "web", "'nobody' does not run here"),
    ("{port:grpc}", "web", "no port 'grpc'; it has http, control"),
]


@pytest.mark.parametrize(("text", "role_name", "words"), UNKNOWN)
def test_a_placeholder_that_means_nothing_is_named(
    places: Places, text: str, role_name: str | None, words: str
) -> None:
    with pytest.raises(StackError) as raised:
        places.fill(text, role_name)
    assert words in str(raised.value)
