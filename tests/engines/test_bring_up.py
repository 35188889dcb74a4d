"""Bringing a stack up whichever engine, over a backend that does nothing: other ports, and the way down."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from tests.engines.tiny_stack import make_stack, new_run
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import read_journal
from tocsin.harness.declarations.stack_interface import EdgeProxy
from tocsin.harness.engines.common.bring_up import running
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend, RoleDriver
from tocsin.harness.engines.common.running_stack import RunningStack


class IdleRole(RoleDriver):
    """A role that runs and cannot be changed."""

    engine: ClassVar[str] = "idle"
    name = "web"

    @property
    def alive(self) -> bool:
        return True


class Removals:
    """No helpers; counts how often the stack was removed."""

    def __init__(self) -> None:
        self.count = 0

    def proxy(self, edge: str) -> EdgeProxy:
        raise NotImplementedError

    def died(self) -> dict[str, str]:
        return {}

    def remove(self) -> None:
        self.count += 1


def idle_backend(folder: Path) -> Backend:
    stack = make_stack(folder, {"web": {"ports": {"http": 1}}})
    places = Places(stack=stack, work=folder, run_id="r", speed=1.0, ports={"web": {"http": 1}})
    nothing: frozenset[str] = frozenset()
    return Backend(engine="idle", places=places, capabilities=nothing, roles={"web": IdleRole()}, helpers=Removals())


class FakeAttempt:
    """Comes up, or fails with these sentences one after the other."""

    def __init__(self, folder: Path, *sentences: str) -> None:
        self.folder, self.sentences = folder, list(sentences)
        self.backends: list[Backend] = []

    def prepare(self) -> Backend:
        self.backends.append(idle_backend(self.folder))
        return self.backends[-1]

    def start(self, backend: Backend, live: RunningStack) -> None:
        assert backend is self.backends[-1]
        if self.sentences:
            raise StackError(self.sentences.pop(0))

    def port_taken(self, error: BaseException) -> bool:
        return "allocated" in str(error)


def removals(attempt: FakeAttempt) -> list[int]:
    return [backend.helpers.count for backend in attempt.backends]  # type: ignore[attr-defined]


TAKEN = "Bind for 127.0.0.1:20001 failed: port is already allocated"
STARTS: list[tuple[tuple[str, ...], int, str]] = [
    ((), 1, ""),
    ((TAKEN,), 2, ""),
    ((TAKEN, TAKEN), 2, "already allocated"),
    (("no such image",), 1, "no such image"),
]


@pytest.mark.e2e
@pytest.mark.parametrize(("sentences", "tries", "fails_with"), STARTS)
def test_a_taken_port_is_tried_once_more_and_every_stack_is_removed(
    sentences: tuple[str, ...], tries: int, fails_with: str, tmp_path: Path
) -> None:
    run, journal = new_run(tmp_path)
    attempt = FakeAttempt(tmp_path / "stack", *sentences)
    if fails_with:
        with pytest.raises(StackError, match=fails_with), running(attempt, run, journal):
            pytest.fail("it came up")
    else:
        with running(attempt, run, journal) as live:
            assert run.guard.needed and live.alive("web") and removals(attempt)[-1] == 0
    assert removals(attempt) == [1] * tries
    assert not run.guard.needed and not run.work.exists()
    facts = [fact.fact for fact in read_journal(run.folder / "journal.jsonl")]
    assert facts == ["error"] * (tries - 1) + ([] if fails_with else ["stack_up"]) + ["stack_down"]


@pytest.mark.e2e
def test_what_a_driver_does_not_offer_is_refused_with_a_sentence(tmp_path: Path) -> None:
    run, journal = new_run(tmp_path)
    with running(FakeAttempt(tmp_path / "stack"), run, journal) as live:
        live.restart("web", wait=False)
        live.reconnect("web")
        assert live.networks("web") == ("host",)
        with pytest.raises(StackError, match="The idle engine cannot end 'web'"):
            live.stop("web")
        with pytest.raises(StackError, match="The idle engine cannot take 'web' off a network"):
            live.disconnect("web")
        with pytest.raises(StackError, match="Disk 'log' is not mounted in this run; mounted: none"):
            live.disk("log")
