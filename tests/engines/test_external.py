"""A system that runs already: attached to, never started or ended, and mended."""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engines.tiny_stack import make_timeline, new_run
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.external.engine import ExternalEngine, external_addresses
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord
from tocsin.harness.faults import lacking, make
from tocsin.harness.planning.loader import load_stack

SERVICE = Path(__file__).resolve().parents[2] / "stacks" / "null" / "service.py"


def stack_at(external: Mapping[str, str]) -> Stack:
    """Return the stack `null` whose service is reached at these addresses."""
    stack = load_stack("null")
    model = stack.roles["model"].model_copy(update={"external": external})
    return stack.model_copy(update={"roles": {"model": model, "elsewhere": stack.roles["model"]}}).at(stack.folder)


@pytest.fixture
def running() -> Iterator[dict[str, str]]:
    servers = runpy.run_path(str(SERVICE))["servers"](0, 0)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield {
        name: f"127.0.0.1:{server.server_address[1]}" for name, server in zip(("http", "control"), servers, strict=True)
    }
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.e2e
def test_it_gives_what_is_there_and_leaves_it(tmp_path: Path, running: dict[str, str]) -> None:
    run, journal = new_run(tmp_path)
    with ExternalEngine().up(make_timeline(stack_at(running)), run, journal) as live:
        assert list(live.stack.roles) == ["model"], "a role without an address is not there"
        assert live.address("model", "control") == running["control"]
        assert (live.alive("model"), live.died(), live.capabilities) == (True, {}, frozenset())
        with pytest.raises(StackError, match="No proxy stands on 'a -> b'"):
            live.proxy("a -> b")
        for refused in (lambda: live.restart("model"), lambda: live.stop("model"), lambda: live.signal("model", 9)):
            with pytest.raises(StackError, match="This stack is not ours"):
                refused()
        with pytest.raises(StackError, match="no `external` address of 'elsewhere'"):
            live.address("elsewhere")
    assert not run.work.exists()
    assert run.guard.process.poll() == 0
    assert live.alive("model"), "it runs on"


@pytest.mark.e2e
def test_a_fault_is_healed_by_another_process_from_what_was_written_down(
    tmp_path: Path, running: dict[str, str]
) -> None:
    run, journal = new_run(tmp_path)
    params = {"share": 1.0}
    fault = make("model_raises", params)
    with ExternalEngine().up(make_timeline(stack_at(running)), run, journal) as live:
        live.guard("failing", kind="model_raises", params=params, outlives=False)
        fault.inject(live)
        (broken,) = GuardRecord(run.work / GUARD_FILE).unhealed()
        assert (broken.name, broken.outlives) == ("failing", True)
        make("model_raises", params).heal(attach(run.work))
        assert fault.witness(_Asking(live)).state == "absent"  # type: ignore[arg-type]
        live.healed("failing")


class _Asking:
    """A stack whose prober asks once."""

    def __init__(self, live: Any) -> None:
        self.live, self.prober = live, self

    def probe(self, count: int) -> list[int]:
        from tocsin.harness.core.http import call

        body = json.dumps({"features": [1, 2]}).encode()
        return [call("POST", self.live.address("model"), "/predict", body=body)[0]]


@pytest.mark.e2e
def test_what_is_left_broken_is_the_guardians(tmp_path: Path, running: dict[str, str]) -> None:
    run, journal = new_run(tmp_path)
    with ExternalEngine().up(make_timeline(stack_at(running)), run, journal) as live:
        live.guard("failing", kind="model_raises", params={"share": 1.0}, outlives=False)
        make("model_raises", {"share": 1.0}).inject(live)
    facts = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()]
    (cleaned,) = [fact for fact in facts if fact["fact"] == "guardian_cleaned"]
    assert cleaned["healed"] == ["failing"]
    assert not run.work.exists()


WRONG = [
    ({}, "does not say where 'model' is reached"),
    ({"http": "${env:NO_SUCH_PLACE}"}, "needs the environment variable NO_SUCH_PLACE"),
    ({"http": "http://model:80/"}, "expected host:port"),
    ({"http": "127.0.0.1:1"}, "does not answer"),
]


@pytest.mark.e2e
@pytest.mark.parametrize(("external", "words"), WRONG)
def test_what_cannot_be_reached_is_named(tmp_path: Path, external: dict[str, str], words: str) -> None:
    run, journal = new_run(tmp_path)
    with pytest.raises(StackError, match=words), ExternalEngine().up(make_timeline(stack_at(external)), run, journal):
        pass
    assert not run.work.exists()


def test_an_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_AT", "10.0.0.1")
    assert external_addresses(stack_at({"http": "${env:MODEL_AT}:8000"})) == {"model": {"http": "10.0.0.1:8000"}}


@pytest.mark.parametrize(
    ("kind", "params", "plays"), [("model_raises", {"share": 1}, True), ("kill", {"role": "model"}, False)]
)
def test_only_hooks_can_be_played(kind: str, params: dict[str, Any], plays: bool) -> None:
    stack = load_stack("null")
    assert (lacking(make(kind, params), stack, ExternalEngine().capabilities(stack)) == ()) is plays
