"""Follows the intended times, hands each request to a Locust user, and keeps its record."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Iterable

import gevent
from locust import User, constant, task
from locust.env import Environment

from harness.clock import RunClock
from harness.evidence.requests import DROPPED, UNKNOWN, RequestWriter
from harness.traffic.clients.keepalive import Exchange, KeepAlive
from harness.traffic.locust.desk import Desk
from harness.traffic.locust.tally import Tally
from harness.traffic.plan import TrafficPlan
from harness.traffic.schedule import Due, PhaseLoad

_FIRST_USERS = 50
_DESCRIPTORS_KEPT = 64


class _Environment(Environment):
    """Where a user, which Locust makes, finds the sender."""

    sender: Sender


class Predict(User):
    """A Locust user that serves the desk until the end."""

    environment: _Environment
    wait_time = constant(0)

    @task
    def serve(self) -> None:
        """Send what the desk gives."""
        self.environment.sender.serve()


class Sender:
    """The load of one run. `now` is this process's clock; nothing is sent before `play`."""

    def __init__(self, plan: TrafficPlan, phases: Iterable[PhaseLoad]) -> None:
        self.now = RunClock().now
        self.asked = 0
        self.in_flight = 0
        self.tally = Tally()
        self.start = math.nan
        self._plan = plan
        self._phases = phases
        self.writer = RequestWriter(plan.records / f"{plan.worker}.npy")
        users_max = min(plan.users_max, _descriptors(plan.users_max))
        users = min(_FIRST_USERS, users_max)
        self._environment = _Environment(user_classes=[Predict])
        self._environment.sender = self
        self._runner = self._environment.create_local_runner()
        self.desk = Desk(lambda: self._hire(1), users=users, users_max=users_max, queue_max=plan.queue_max)
        self._hire(users)

    def _hire(self, count: int) -> None:
        self._runner.spawn_users({Predict.__name__: count})

    def on_crash(self, tell: Callable[..., None]) -> None:
        """Call `tell(user_instance, exception, tb)` when our own code breaks inside a user."""
        self._environment.events.user_error.add_listener(tell)

    def play(self, start: float) -> None:
        """Hand over every request at `start` + its intended time, or at once if that is past."""
        self.start = start
        for phase in self._phases:
            for due in phase.requests():
                delay_s = start + due.at_s - self.now()
                if delay_s > 0:
                    gevent.sleep(delay_s)
                elif self.asked % 16 == 0:
                    gevent.sleep(0)  # late: let the users work while the dispatcher catches up
                seq, self.asked = self.asked, self.asked + 1
                if not self.desk.put(seq, due):
                    self._record(seq, due, _DROPPED)

    def serve(self) -> None:
        """Send requests from the desk over one connection, for ever (in a user's greenlet)."""
        client = KeepAlive(self._plan.address, self._plan.payload.path, self.now, self._plan.timeout_s)
        while True:
            seq, due = self.desk.take()
            exchange = Exchange(UNKNOWN, 0, self.now(), math.nan, math.nan)
            self.in_flight += 1
            self.tally.sent += 1
            try:
                exchange = client.send(self._id(seq), due.body)
            finally:  # also when killed: the request may have been served
                self.in_flight -= 1
                self.tally.sent -= exchange.outcome == DROPPED
                self._record(seq, due, exchange)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self.in_flight and not len(self.desk)

    def drop_waiting(self) -> None:
        """Record what waits for a user as dropped."""
        for seq, due in self.desk.clear():
            self._record(seq, due, _DROPPED)

    def end(self) -> None:
        """Give up what is under way (unknown) and what waits (dropped), and write every record."""
        self.drop_waiting()
        self._runner.user_greenlets.kill(timeout=5)
        self.writer.close()

    def _id(self, seq: int) -> str:
        return f"{self._plan.run_id}-{self._plan.worker}-{seq}"

    def _record(self, seq: int, due: Due, exchange: Exchange) -> None:
        outcome, status, sent, first_byte, done = exchange
        intended = self.start + due.at_s
        self.tally.count(outcome, status, done - intended)
        self.writer.add(
            id=self._id(seq),
            kind=due.kind,
            outcome=outcome,
            status=status,
            worker=self._plan.worker,
            intended=intended,
            sent=sent,
            first_byte=first_byte,
            done=done,
        )


_DROPPED = Exchange(DROPPED, 0, math.nan, math.nan, math.nan)


def _descriptors(wanted: int) -> int:
    """Raise this process's own limit of open files as far as allowed, and return how many connections that leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted + _DESCRIPTORS_KEPT
    if soft != resource.RLIM_INFINITY and soft < limit:
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(soft - _DESCRIPTORS_KEPT, 1)
