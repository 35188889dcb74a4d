"""The contract test can fail: each broken promise, on a stack that is a folder, is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import contract
from tests.e2e.contract import kept
from tocsin.harness import faults
from tocsin.harness.declarations.fault_contract import Witness


class Stack:
    """A stack on which `set` puts a file there and takes it away."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def set(self, broken: bool) -> None:
        (self.work / "effect").touch() if broken else (self.work / "effect").unlink(missing_ok=True)


class Shared:
    """Gives the same stack to everyone; mending takes the effect away."""

    def __init__(self, work: Path) -> None:
        self.live, self.mended = Stack(work), 0
        self.work = self.folder = work

    def view(self) -> Any:
        return self.live

    def mend(self) -> None:
        self.mended += 1
        self.live.set(False)


class Honest:
    """Does what it should."""

    def inject(self, live: Any) -> None:
        live.set(True)

    def heal(self, live: Any) -> None:
        live.set(False)

    def witness(self, live: Any) -> Witness:
        there = (live.work / "effect").exists()
        return Witness(state="present" if there else "absent", detail="looked")


class Believing(Honest):
    """Its witness believes the injection call."""

    told = False

    def inject(self, live: Any) -> None:
        super().inject(live)
        self.told = True

    def heal(self, live: Any) -> None:
        super().heal(live)
        self.told = False

    def witness(self, live: Any) -> Witness:
        return Witness(state="present" if self.told else "absent", detail="believed")


class Careless(Honest):
    """Heals nothing."""

    def heal(self, live: Any) -> None:
        pass


class Fragile(Honest):
    """Cannot be healed twice."""

    healed = 0

    def heal(self, live: Any) -> None:
        super().heal(live)
        self.healed += 1
        if self.healed > 3:
            raise OSError("once is enough")


class Once(Honest):
    """Cannot be injected twice."""

    def inject(self, live: Any) -> None:
        if (live.work / "effect").exists():
            raise OSError("it is broken already")
        super().inject(live)


class Blind(Honest):
    """Sees nothing."""

    def witness(self, live: Any) -> Witness:
        raise OSError("no route")


class Unsafe(Honest):
    """Cannot heal what was never injected."""

    def heal(self, live: Any) -> None:
        (live.work / "effect").unlink()


FAULTS = [
    (Honest, []),
    (Believing, ["lie detector: the witness says present of what never happened"]),
    (Careless, ["heal: expected absent", "heal again: expected absent"]),
    (Fragile, ["heal again: OSError: once is enough"]),
    (Once, ["inject again: OSError: it is broken already"]),
    (Blind, ["inject: expected present", "inject again", "heal: ", "heal again"]),
    (Unsafe, ["heal before inject: FileNotFoundError", "heal of what had no effect", "heal again: FileNotFoundError"]),
]


@pytest.mark.parametrize(("fault", "wrong"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_each_broken_promise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Honest], wrong: list[str]
) -> None:
    monkeypatch.setattr(contract, "SHOWS_S", 0.0)
    monkeypatch.setattr(contract, "LOOK_S", 0.0)
    monkeypatch.setattr(faults, "make", lambda kind, params: fault())
    shared = Shared(tmp_path)
    said = kept("x", {}, shared)["wrong"]  # type: ignore[arg-type]
    assert len(said) == len(wrong), said
    assert all(sentence.startswith(start) for sentence, start in zip(said, wrong, strict=True)), said
    assert shared.mended == bool(wrong)


HOLDERS = [
    ("healed", -9, {"left": []}, False, []),
    ("ended by itself", 0, {"left": []}, False, ["the holder ended with 0: oops"]),
    ("something is left", -9, {"left": ["Fault x is not healed: stuck."]}, False, ["Fault x is not healed: stuck."]),
    ("only says so", -9, {"left": []}, True, ["after the guardian: expected absent within 0 s"]),
    ("silent", -9, None, False, ["the guardian said nothing", "the guardian took"]),
]


@pytest.mark.parametrize(("name", "code", "said", "broken", "wrong"), HOLDERS, ids=[name for name, *_ in HOLDERS])
def test_a_guardian_that_does_not_heal_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
    said: dict[str, Any] | None,
    broken: bool,
    wrong: list[str],
) -> None:
    shared = Shared(tmp_path)
    shared.live.set(broken)

    def die(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if said is not None:
            (Path(argv[4]) / "journal.jsonl").write_text(json.dumps(said) + "\n")
        return subprocess.CompletedProcess(argv, code, "", "oops")

    monkeypatch.setattr(contract, "SHOWS_S", 0.0)
    monkeypatch.setattr(contract, "BEYOND_S", 0.0)
    monkeypatch.setattr(contract, "bound_s", lambda *_: 0.0 if said is None else 5.0)
    monkeypatch.setattr(contract.subprocess, "run", die)
    monkeypatch.setattr(faults, "make", lambda kind, params: Honest())
    row = contract.killed("x", {}, "injected", shared)  # type: ignore[arg-type]
    assert len(row["wrong"]) == len(wrong), row
    assert all(sentence.startswith(start) for sentence, start in zip(row["wrong"], wrong, strict=True)), row
