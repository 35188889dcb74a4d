"""The process around the sender: commands on stdin, events on stdout, an end on every path."""

from __future__ import annotations

import gc
import resource
import signal
import time
from collections.abc import Callable

import gevent
from gevent.event import Event
from locust import User

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import BROKEN
from tocsin.harness.evidence.requests import RequestBuffer, RequestWriter
from tocsin.harness.traffic.load_plan import TrafficPlan, load_or_report
from tocsin.harness.traffic.locust import custom_users, locust_clients
from tocsin.harness.traffic.locust.load_generator import Predict, Sender
from tocsin.harness.traffic.locust.stdin_commands import Startable, follow_commands
from tocsin.harness.traffic.payloads import load_sample
from tocsin.harness.traffic.request_schedule import loads
from tocsin.harness.traffic.stdout_events import both_clocks, emit

_FLUSH_S = 0.5
_GRACE_S = 0.5
"""Beyond timeout_s, so that each client's own timeout comes first."""
_PATIENCE_S = 1.0
"""What is under way gets so long when told to stop: an answer that comes now need not become unknown."""


def main(argv: list[str]) -> int:
    """Play the plan file named in `argv`; return 0, or an exit code after an `error` event."""
    player = load_or_report("tocsin.harness.traffic.locust PLAN.json", argv, TrafficPlan, LoadPlayer)
    if isinstance(player, int):
        return player
    gevent.signal_handler(signal.SIGTERM, player.stop)
    gevent.spawn(follow_commands, player.start, player.stop).link_exception(player.broke)
    return player.run()


class LoadPlayer(Startable):
    """One worker's load, from `ready` to `done`. StackError if the plan cannot be played.

    `report(event, **fields)` tells the other side and returns False if nobody listens any more. `now` is the run's
    clock, epoch seconds; `writer` takes the records.
    """

    def __init__(
        self,
        plan: TrafficPlan,
        *,
        report: Callable[..., bool] = emit,
        now: Callable[[], float] | None = None,
        writer: RequestBuffer | None = None,
    ) -> None:
        super().__init__()
        sample = load_sample(plan.sample, plan.payload.model_dump(), plan.reference)
        self._plan = plan
        self._phases = loads(plan, sample)
        self._sender = Sender(
            plan,
            self._phases,
            now=now or RunClock().now,
            writer=writer or RequestWriter(plan.records / f"{plan.worker}.npy"),
            user_class=user_class(plan),
        )
        self._report_event = report
        self._crash = ""
        self._sender.on_crash(self._crashed)

    def run(self) -> int:
        """Play, and return when all has been written: 0, or an exit code after an `error` event."""
        gc.collect()
        gc.freeze()
        self._report_event("ready", **both_clocks())
        gevent.wait([self._started, self._stopped], count=1)
        cpu_s, began = time.process_time(), time.monotonic()
        ticks = [gevent.spawn(self._flush), gevent.spawn(self._report)]
        for tick in ticks:
            tick.link_exception(self.broke)
        if self._started.is_set():
            self._play()
        gevent.killall(ticks)
        self._sender.end()
        if self._crash:
            self._report_event("error", message=self._crash)
            return BROKEN
        self._done(time.process_time() - cpu_s, time.monotonic() - began)
        return 0

    def broke(self, greenlet: gevent.Greenlet) -> None:
        """A greenlet of this process has ended with an exception."""
        self._crash = f"The traffic process broke: {greenlet.exception!r}."
        self._stopped.set()

    def _play(self) -> None:
        over = self._sender.play(self._start)
        gevent.wait([over, self._stopped], count=1)
        self._settle(self._plan.timeout_s + _GRACE_S, also=self._stopped)
        if self._stopped.is_set():
            self._sender.stop()
            self._settle(_PATIENCE_S)

    def _settle(self, within_s: float, also: Event | None = None) -> None:
        """Wait until nothing is under way, the time is over, or `also` is set."""
        deadline = time.monotonic() + within_s
        while not self._sender.idle and time.monotonic() < deadline and not (also and also.is_set()):
            gevent.sleep(0.01)

    def _flush(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self._sender.writer.flush()

    def _report(self) -> None:
        sender = self._sender
        while True:
            gevent.sleep(1)
            sender.writer.flush()
            rate = sender.totals.rate(sender.now(), sender.in_flight)
            now = {"asked": sender.asked, "waiting": sender.waiting}
            if not self._report_event("rate", **rate, **sender.checks.counts(), **now):
                self._stopped.set()

    def _done(self, cpu_s: float, wall_s: float) -> None:
        sender = self._sender
        memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = {"cpu_s": round(cpu_s, 3), "wall_s": round(wall_s, 3), "memory_mib": round(memory_mib, 1)}
        totals = {**sender.totals.totals(), "asked": sender.asked, "stopped": self._stopped.is_set()}
        checks = sender.checks.counts(with_example=True)
        delivered = {
            phase.name: load.content.delivered()
            for phase, load in zip(self._plan.phases, self._phases, strict=True)
            if load.content.delivered()
        }
        limits, clocks = sender.limits(), both_clocks()
        self._report_event("done", **totals, **figures, **checks, **limits, delivered=delivered, **clocks)

    def _crashed(self, user_instance: object, exception: Exception, tb: object) -> None:
        where = "The loop" if user_instance is None else "A user"
        self._crash = self._crash or f"{where} broke: {exception!r}."
        self._stopped.set()


def user_class(plan: TrafficPlan) -> type[User]:
    """Return the class; StackError if the file of custom users does not give one."""
    if ".py:" in plan.users:
        return custom_users.user_class(plan)
    if plan.client == "fasthttp":
        return locust_clients.fast_http(plan)
    if plan.client == "http":
        return locust_clients.http(plan)
    return Predict
