"""Stand-ins for a live stack, a fault, a recorder and a generator: they do what a table tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.fake_clock import FakeClock
from tocsin.harness.core.journal import Journal, read_journal
from tocsin.harness.declarations.fault_contract import Witness


@dataclass
class FakeLive:
    """A live stack of which only deaths and guarded faults matter."""

    dead: dict[str, str] = field(default_factory=dict)
    guarded: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    work: Path = Path("/nonexistent")
    stack: Any = field(default_factory=lambda: SimpleNamespace(roles={}))

    def died(self) -> dict[str, str]:
        return self.dead

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        self.guarded.append(fault)

    def healed(self, fault: str) -> None:
        self.mended.append(fault)


class FakeFault:
    """A fault whose witness says what `states` hold, the last one for ever. `heals`: how many heals fail first."""

    kind = "fake"
    outlives = False

    def __init__(self, *states: str, failing_heals: int = 0, crash: Exception | None = None) -> None:
        self.states, self.failing_heals, self.crash = list(states), failing_heals, crash
        self.calls: list[str] = []

    def inject(self, live: Any) -> None:
        self.calls.append("inject")
        if self.crash:
            raise self.crash

    def heal(self, live: Any) -> None:
        self.calls.append("heal")
        if self.failing_heals:
            self.failing_heals -= 1
            raise OSError("stuck")

    def witness(self, live: Any) -> Witness:
        self.calls.append("witness")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "crash":
            raise OSError("no route")
        return Witness(state=state, detail="seen")  # type: ignore[arg-type]


class FakeTraffic:
    """A generator that only remembers when it was started; `error` is raised by the n-th check."""

    def __init__(self, error: Exception | None = None, after: int = 0) -> None:
        self.started: float | None = None
        self.latest_rate: dict[str, Any] = {}
        self.error, self.after = error, after

    def start(self, at: float) -> None:
        self.started = at

    def check(self) -> None:
        self.after -= 1
        if self.error and self.after < 0:
            raise self.error


class FakeRecorder:
    """A recorder whose canary is seen, and which has caught up, after so many questions (None: never)."""

    def __init__(
        self, name: str, seen_after: int | None = 0, caught_up_after: int | None = 0, crash: bool = False
    ) -> None:
        self.name, self.seen_after, self.caught_up_after, self.crash = name, seen_after, caught_up_after, crash
        self.calls: list[str] = []

    def seen_canary(self, live: Any, run: Any) -> tuple[bool, str]:
        return self._count("seen_after", f"{self.name} is silent")

    def caught_up(self, live: Any, run: Any, at: float) -> tuple[bool, str]:
        return self._count("caught_up_after", f"{self.name} is late")

    def _count(self, which: str, state: str) -> tuple[bool, str]:
        left = getattr(self, which)
        if left is None:
            return False, state
        setattr(self, which, left - 1)
        return left <= 0, state

    def stop(self) -> None:
        self.calls.append("stop")

    def collect(self, live: Any, window: Any, run: Any, journal: Any) -> int:
        self.calls.append("collect")
        if self.crash:
            raise ValueError("broken stream")
        return 3


@dataclass
class Rig:
    """A fake clock, a real journal, a fake run and a fake live stack."""

    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(speed=30, start=1000.0))
    live: FakeLive = field(default_factory=FakeLive)

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder / "journal.jsonl", self.clock)
        self.run = SimpleNamespace(id="r1", folder=self.folder, work=self.folder, clock=self.clock, programs={})

    def facts(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (name, more) of the facts of those names, all if none is given."""
        read = read_journal(self.folder / "journal.jsonl")
        return [(fact.fact, dict(fact.more)) for fact in read if not names or fact.fact in names]
