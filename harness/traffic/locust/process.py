"""The process around the sender: commands on stdin, events on stdout, an end on every path."""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.fileobject import FileObject

from harness.errors import BROKEN, StackError
from harness.traffic.locust.sender import Sender
from harness.traffic.payloads import ShiftArgs, achieved_shift, load_sample, parse_payload
from harness.traffic.plan import TrafficPlan, read_plan
from harness.traffic.schedule import loads

_FLUSH_S = 0.5
_GRACE_S = 0.5
"""Beyond timeout_s, so that each client's own timeout comes first."""
_PATIENCE_S = 1.0
"""What is under way gets so long when told to stop: an answer that comes now need not become unknown."""


def main(argv: list[str]) -> int:
    """Play the plan file named in `argv`; return 0, or an exit code after an `error` event that says why."""
    if len(argv) != 1:
        _say("error", message="usage: python -m harness.traffic.locust PLAN.json")
        return BROKEN
    try:
        plan = read_plan(TrafficPlan, Path(argv[0]))
        sample = load_sample(plan.sample, plan.payload.model_dump())
        args = {phase.name: parse_payload(phase.payload) for phase in plan.phases}
        achieved = {name: achieved_shift(sample, shift) for name, shift in args.items() if isinstance(shift, ShiftArgs)}
        sender = Sender(plan, loads(plan, sample))
    except StackError as error:
        _say("error", message=str(error))
        return error.exit_code
    gc.collect()
    gc.freeze()
    return _Process(plan, sender).run(achieved)


class _Process:
    def __init__(self, plan: TrafficPlan, sender: Sender) -> None:
        self._plan = plan
        self._sender = sender
        self._stopped = Event()
        self._started = Event()
        self._start = 0.0
        self._crash = ""
        sender.on_crash(self._crashed)

    def run(self, achieved: dict[str, Any]) -> int:
        gevent.signal_handler(signal.SIGTERM, self._stopped.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our parent decides
        gevent.spawn(self._listen).link_exception(self._broke)
        _say("ready", achieved=achieved, **_times())
        gevent.wait([self._started, self._stopped], count=1)
        cpu_s = time.process_time()
        ticks = [gevent.spawn(self._flush), gevent.spawn(self._report)]
        for tick in ticks:
            tick.link_exception(self._broke)
        if self._started.is_set():
            self._play()
        gevent.killall(ticks)
        self._sender.end()
        if self._crash:
            _say("error", message=self._crash)
            return BROKEN
        self._done(time.process_time() - cpu_s)
        return 0

    def _play(self) -> None:
        dispatcher = gevent.spawn(self._sender.play, self._start)
        gevent.wait([dispatcher, self._stopped], count=1)
        dispatcher.kill()
        self._settle(self._plan.timeout_s + _GRACE_S, also=self._stopped)
        if self._stopped.is_set():
            self._sender.drop_waiting()
            self._settle(_PATIENCE_S)
        if dispatcher.exception:
            self._crash = self._crash or f"The dispatcher broke: {dispatcher.exception!r}."

    def _settle(self, within_s: float, also: Event | None = None) -> None:
        """Wait until nothing is under way, the time is over, or `also` is set."""
        deadline = time.monotonic() + within_s
        while not self._sender.idle and time.monotonic() < deadline and not (also and also.is_set()):
            gevent.sleep(0.01)

    def _listen(self) -> None:
        for raw in FileObject(sys.stdin.fileno(), "rb", closefd=False):
            words = raw.decode("utf-8", "replace").split()
            if words[:1] == ["start"] and len(words) == 2 and not self._started.is_set():
                self._start = float(words[1])
                self._started.set()
            elif words == ["stop"]:
                break
        self._stopped.set()

    def _flush(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self._sender.writer.flush()

    def _report(self) -> None:
        while True:
            gevent.sleep(1)
            rate = self._sender.tally.rate(self._sender.now())
            if not _say("rate", **rate, asked=self._sender.asked, waiting=len(self._sender.desk)):
                self._stopped.set()

    def _done(self, cpu_s: float) -> None:
        memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        totals = self._sender.tally.totals()
        figures = {"cpu_s": round(cpu_s, 3), "memory_mib": round(memory_mib, 1)}
        _say("done", **totals, asked=self._sender.asked, stopped=self._stopped.is_set(), **figures, **_times())

    def _broke(self, greenlet: Any) -> None:
        self._crash = f"The traffic process broke: {greenlet.exception!r}."
        self._stopped.set()

    def _crashed(self, user_instance: object, exception: Exception, tb: object) -> None:
        self._crash = f"A user broke: {exception!r}."
        self._stopped.set()


def _times() -> dict[str, float]:
    return {"wall": time.time(), "monotonic": time.monotonic()}


def _say(event: str, **more: Any) -> bool:
    """Write one event; False if nobody reads any more."""
    try:
        sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True
