"""The engine's side of the canary process and the traffic process: every wait is bounded, every death a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError, WaitTimeout
from tocsin.harness.evidence.requests import OUTCOMES
from tocsin.harness.traffic.stdout_events import Event, clocks_of

Spawn = Callable[..., "subprocess.Popen[bytes]"]
"""LiveStack.spawn: (argv, *, name, **popen) -> Popen."""

_READY_S = 20.0
_EXIT_S = 2.0
"""Wall seconds that a process has to exit after its last event."""


@dataclass(frozen=True, kw_only=True)
class WorkerReport:
    """What one sender of requests recorded. `recorded` and `done` are None if it never reported that it had ended."""

    name: str
    worker: int
    recorded: int | None
    clocks: Sequence[Mapping[str, float]]
    done: Event | None


class _EventProcess:
    """A process that takes lines on stdin and reports events on stdout, which a thread reads."""

    worker = 0
    """Its number in the request records."""
    _counts: tuple[str, ...] = ("sent",)

    def __init__(self, module: str, *, name: str, plan: Mapping[str, object], work: Path, spawn: Spawn) -> None:
        self.name = name
        work.mkdir(parents=True, exist_ok=True)
        path = work / f"{name}.plan.json"
        path.write_text(json.dumps(plan, default=str), encoding="utf-8")
        argv = [sys.executable, "-m", module, str(path)]
        self._process = spawn(argv, name=name, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._events: list[Event] = []
        self._ended = False
        self._told_to_stop = False
        self._changed = threading.Condition(threading.RLock())
        threading.Thread(target=self._read, name=f"{name}-events", daemon=True).start()

    def events(self, name: str) -> list[Event]:
        """Return the events of one name so far, in order."""
        with self._changed:
            return [event for event in self._events if event["event"] == name]

    def ready(self, within_s: float = _READY_S) -> None:
        """Wait until the process is ready; StackError if it ended, WaitTimeout if it takes longer."""
        self._await("ready", 1, within_s)

    def check(self) -> None:
        """Raise StackError if the process ended before it had finished its work."""
        if self._process.poll() is not None and self.done is None:
            raise self._death()

    @property
    def done(self) -> Event | None:
        """Its last event, None until it came."""
        return next(reversed(self.events("done")), None)

    @property
    def recorded(self) -> int | None:
        """How many requests it reports to have recorded; None if it ended without a report."""
        done = self.done
        return None if done is None else sum(int(done.get(name, 0)) for name in self._counts)

    @property
    def parts(self) -> tuple[WorkerReport, ...]:
        """What each sender behind this process recorded, for the journal."""
        clocks, done = self.clocks, self.done
        return (WorkerReport(name=self.name, worker=self.worker, recorded=self.recorded, clocks=clocks, done=done),)

    @property
    def clocks(self) -> list[dict[str, float]]:
        """What its clocks showed when it was ready and when it was done: `wall` and `monotonic`, seconds."""
        return clocks_of(*self.events("ready"), *self.events("done"))

    def wait(self, within_s: float) -> Event:
        """Wait until the process has finished its work and ended; return its `done` event."""
        done = self._await("done", 1, within_s)
        self._end(_EXIT_S)
        return done

    def stop(self, within_s: float = 15.0) -> Event | None:
        """Tell it to end and wait for that; killed if it takes longer. Returns `done`, None if that never came."""
        self._told_to_stop = True
        try:
            self._tell("stop")
            return self.wait(within_s)
        except StackError:
            self._end(0.0)
            return self.done

    def _end(self, within_s: float) -> None:
        end_process(self._process, within_s)

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _await(self, name: str, count: int, within_s: float) -> Event:
        """Wait for the `count`-th event of a name."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                events = self.events(name)
                if len(events) >= count:
                    return events[count - 1]
                if self._ended:
                    raise self._death()
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    last = self._events[-1] if self._events else "nothing"
                    raise WaitTimeout(
                        f"Waited {within_s:.1f} s for `{name}` of the {self.name} process; its last event: {last}.",
                        hint=f"Read stack-logs/{self.name}.log.",
                    )
                self._changed.wait(left_s)

    def _death(self) -> StackError:
        try:
            code = str(self._process.wait(_EXIT_S))
        except subprocess.TimeoutExpired:
            code = "none yet"
        errors = self.events("error")
        words = f": {errors[-1].get('message')}" if errors else "."
        hint = f"Read stack-logs/{self.name}.log."
        return StackError(f"The {self.name} process ended (exit code {code}){words}", hint=hint)

    def _read(self) -> None:
        assert self._process.stdout
        for raw in self._process.stdout:
            try:
                event = json.loads(raw)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                self._on_event(event)
                with self._changed:
                    self._events.append(event)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _on_event(self, event: Event) -> None:
        """Called by the reading thread for each event, as it comes."""


class CanaryProcess(_EventProcess):
    """The canary process of a run: a Prober. `plan` as in load_plan.CanaryPlan; it sends from the start."""

    def __init__(self, plan: Mapping[str, object], work: Path, spawn: Spawn) -> None:
        super().__init__("tocsin.harness.traffic.canary", name="canary", plan=plan, work=work, spawn=spawn)
        self._probe_s = float(str(plan.get("timeout_s", 10.0))) + 1.0
        self._probes = 0
        self._one_at_a_time = threading.Lock()

    def probe(self, count: int) -> list[int]:
        """Send `count` normal requests one after the other; return their HTTP statuses, 0 for no answer.

        StackError if the process has ended, WaitTimeout if it reports nothing for longer than its own timeouts allow.
        """
        return [int(status) for status in self._probed("probe", count)["statuses"]]

    def answers(self, count: int) -> list[tuple[int, str]]:
        """Send `count` normal requests one after the other; return status and body of each, errors as `probe`."""
        probed = self._probed("answers", count)
        return list(zip(map(int, probed["statuses"]), probed["bodies"], strict=True))

    def _probed(self, command: str, count: int) -> Event:
        with self._one_at_a_time:
            self._probes += 1
            self._tell(f"{command} {count}")
            return self._await("probed", self._probes, count * self._probe_s + _EXIT_S)


class TrafficProcess(_EventProcess):
    """The traffic process of a run. `plan` as in load_plan.TrafficPlan; nothing is sent before `start`."""

    _counts = OUTCOMES
    _module = "tocsin.harness.traffic.locust"

    def __init__(self, plan: Mapping[str, object], work: Path, spawn: Spawn, *, name: str = "traffic-1") -> None:
        self.worker = int(str(plan.get("worker", 1)))
        super().__init__(self._module, name=name, plan=plan, work=work, spawn=spawn)

    def start(self, at: float) -> None:
        """Let the first phase begin at `at`, epoch seconds of the run's clock."""
        self._tell(f"start {at!r}")

    def check(self) -> None:
        """StackError if the process has ended before its load was over and nobody had told it to."""
        with self._changed:
            done, ended = self.done, self._ended
        if done is not None:
            ended = done["stopped"] and not self._told_to_stop
        if ended:
            raise self._death()

    @property
    def latest_rate(self) -> Event:
        """The last report of a second: totals since the start, `sent_per_s` of it, `at`; empty before the first."""
        return next(reversed(self.events("rate")), {})


def end_process(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Wait for the end of a process, wall seconds; kill it if it takes longer."""
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
