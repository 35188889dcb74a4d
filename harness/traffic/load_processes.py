"""The engine's side of the canary process and the traffic process: every wait is bounded, every death a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import StackError, WaitTimeout
from tocsin.harness.evidence.requests import OUTCOMES

Spawn = Callable[..., "subprocess.Popen[bytes]"]
"""LiveStack.spawn: (argv, *, name, **popen) -> Popen."""

_READY_S = 20.0
_LAST_WORDS_S = 2.0


class _Child:
    """A process that is told lines on stdin and says JSON lines on stdout, which a thread reads."""

    worker = 0
    """Its number in the request records."""
    _counts: tuple[str, ...] = ("sent",)

    def __init__(self, module: str, *, name: str, plan: Mapping[str, Any], work: Path, spawn: Spawn) -> None:
        self.name = name
        work.mkdir(parents=True, exist_ok=True)
        path = work / f"{name}.plan.json"
        path.write_text(json.dumps(plan, default=str), encoding="utf-8")
        argv = [sys.executable, "-m", module, str(path)]
        self._process = spawn(argv, name=name, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._events: list[dict[str, Any]] = []
        self._ended = False
        self._told_to_stop = False
        self._changed = threading.Condition(threading.RLock())
        threading.Thread(target=self._read, name=f"{name}-events", daemon=True).start()

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the events of one name so far, in order."""
        with self._changed:
            return [said for said in self._events if said["event"] == event]

    def ready(self, within_s: float = _READY_S) -> None:
        """Wait until the process is ready; StackError if it ended, WaitTimeout if it takes longer."""
        self._await("ready", 1, within_s)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise StackError if the process ended before it had finished its work."""
        if not self.alive and self.done is None:
            raise self._death()

    @property
    def done(self) -> dict[str, Any] | None:
        """Its last event, None until it was said."""
        said = self.said("done")
        return said[-1] if said else None

    @property
    def recorded(self) -> int | None:
        """How many requests it says it has written down; None if it ended without a word."""
        done = self.done
        return None if done is None else sum(int(done.get(name, 0)) for name in self._counts)

    @property
    def parts(self) -> tuple[Any, ...]:
        """Return those whose records and clocks go into the journal: `name`, `worker`, `recorded`, `clocks`, `done`."""
        return (self,)

    @property
    def clocks(self) -> list[dict[str, float]]:
        """What its clocks showed when it was ready and when it was done: `wall` and `monotonic`, seconds."""
        said = [*self.said("ready"), *self.said("done")]
        return [
            {name: one[name] for name in ("wall", "monotonic")} for one in said if {"wall", "monotonic"} <= set(one)
        ]

    def wait(self, within_s: float) -> dict[str, Any]:
        """Wait until the process has finished its work and ended; return its `done` event."""
        done = self._await("done", 1, within_s)
        try:
            self._process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return done

    def stop(self, within_s: float = 15.0) -> dict[str, Any] | None:
        """Tell it to end and wait for that; killed if it takes longer. Returns `done`, None if that was never said."""
        self._told_to_stop = True
        try:
            self._tell("stop")
            return self.wait(within_s)
        except StackError:
            if self.alive:
                self._process.kill()
                self._process.wait()
            return self.done

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _await(self, event: str, count: int, within_s: float) -> dict[str, Any]:
        """Wait for the `count`-th event of a name."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                said = [one for one in self._events if one["event"] == event]
                if len(said) >= count:
                    return said[count - 1]
                if self._ended:
                    raise self._death()
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    last = self._events[-1] if self._events else "nothing"
                    raise WaitTimeout(
                        f"Waited {within_s:.1f} s for `{event}` of the {self.name} process; it last said: {last}.",
                        hint=f"Read stack-logs/{self.name}.log.",
                    )
                self._changed.wait(left_s)

    def _death(self) -> StackError:
        try:
            code: object = self._process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            code = "none yet"
        errors = self.said("error")
        words = f": {errors[-1].get('message')}" if errors else "."
        return StackError(
            f"The {self.name} process ended (exit code {code}){words}", hint=f"Read stack-logs/{self.name}.log."
        )

    def _read(self) -> None:
        assert self._process.stdout
        for raw in self._process.stdout:
            try:
                said = json.loads(raw)
            except ValueError:
                continue
            if isinstance(said, dict) and "event" in said:
                self._heard(said)
                with self._changed:
                    self._events.append(said)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _heard(self, said: dict[str, Any]) -> None:
        """Is called by the reading thread for each event, as it comes."""


class CanaryProcess(_Child):
    """The canary process of a run: a Prober. `plan` as in tocsin.harness.traffic.load_plan.CanaryPlan; it sends from the start."""

    def __init__(self, plan: Mapping[str, Any], work: Path, spawn: Spawn) -> None:
        super().__init__("tocsin.harness.traffic.canary", name="canary", plan=plan, work=work, spawn=spawn)
        self._probe_s = float(plan.get("timeout_s", 10.0)) + 1.0
        self._probes = 0
        self._one_at_a_time = threading.Lock()

    def probe(self, count: int) -> list[int]:
        """Send `count` normal requests one after the other; return their HTTP statuses, 0 for no answer.

        StackError if the process has ended, WaitTimeout if it says nothing for longer than its own timeouts allow.
        """
        with self._one_at_a_time:
            self._probes += 1
            self._tell(f"probe {count}")
            probed = self._await("probed", self._probes, count * self._probe_s + _LAST_WORDS_S)
        return [int(status) for status in probed["statuses"]]

    def answers(self, count: int) -> list[tuple[int, str]]:
        """Send `count` normal requests one after the other; return status and body of each, errors as `probe`."""
        with self._one_at_a_time:
            self._probes += 1
            self._tell(f"answers {count}")
            probed = self._await("probed", self._probes, count * self._probe_s + _LAST_WORDS_S)
        return list(zip(map(int, probed["statuses"]), probed["bodies"], strict=True))


class TrafficProcess(_Child):
    """The traffic process of a run. `plan` as in tocsin.harness.traffic.load_plan.TrafficPlan; nothing is sent before `start`."""

    _counts = OUTCOMES
    _module = "tocsin.harness.traffic.locust"

    def __init__(self, plan: Mapping[str, Any], work: Path, spawn: Spawn, *, name: str = "traffic-1") -> None:
        self.worker = int(plan.get("worker", 1))
        super().__init__(self._module, name=name, plan=plan, work=work, spawn=spawn)

    def start(self, at: float) -> None:
        """Let the first phase begin at `at`, epoch seconds of the run's clock."""
        self._tell(f"start {at!r}")

    def check(self) -> None:
        """StackError if the process has ended before its load was over and nobody had told it to."""
        with self._changed:
            done, ended = self.done, self._ended
        if done["stopped"] and not self._told_to_stop if done else ended:
            raise self._death()

    def rates(self) -> list[dict[str, Any]]:
        """Return what was said each second so far: totals since the start, `sent_per_s` of that second, `at`."""
        return self.said("rate")

    @property
    def latest_rate(self) -> dict[str, Any]:
        """The last of `rates`, empty before the first."""
        rates = self.rates()
        return rates[-1] if rates else {}
