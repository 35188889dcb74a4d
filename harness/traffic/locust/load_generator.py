"""Puts one worker together: the dispatcher, the request outlets, Locust's users and the records."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol

import gevent
from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment

from tocsin.harness.evidence.requests import UNKNOWN, RequestBuffer
from tocsin.harness.traffic.clients.exchange import Exchange, RecordWriter
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.clients.response_check import ResponseCheck
from tocsin.harness.traffic.clients.response_reader import BodyReader
from tocsin.harness.traffic.load_plan import TrafficPlan
from tocsin.harness.traffic.locust.connection_pool import ConnectionPool, connections_possible
from tocsin.harness.traffic.locust.dispatcher import Dispatcher
from tocsin.harness.traffic.locust.request_outlet import Lane, RequestQueue
from tocsin.harness.traffic.locust.running_totals import RunningTotals
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due, PhaseRequests

_FIRST_USERS = 50


class Client(Protocol):
    """A client that waits for its answer; it sends at most once and raises nothing for what a server does."""

    def send(self, request_id: str, form: Form, body: bytes) -> Exchange:
        """Send one request and return what became of it."""

    def close(self) -> None:
        """Close what is open."""


class _Environment(Environment):
    """Where a user, which Locust makes, finds the sender."""

    sender: Sender


class DispatchUser(User):
    """The one Locust user that dispatches the whole load of a worker."""

    environment: _Environment
    wait_time = constant(0)

    @task
    def dispatch(self) -> None:
        """Hand out every request when it is due."""
        self.environment.sender.dispatch()


class Predict(User):
    """A Locust user that takes requests from the queue until the end."""

    environment: _Environment
    wait_time = constant(0)

    @task
    def serve(self) -> None:
        """Send what the queue gives."""
        self.environment.sender.serve()


class Sender:
    """The load of one worker. `now` is the run's clock; nothing is sent before `play`.

    Plain requests over http leave through the connection pool, without a greenlet for each. What blocks (https, slow or
    broken manners, other clients, custom users) leaves through the request queue.
    """

    def __init__(
        self,
        plan: TrafficPlan,
        phases: Iterable[PhaseRequests],
        *,
        now: Callable[[], float],
        writer: RequestBuffer,
        user_class: type[User] = Predict,
    ) -> None:
        self.now = now
        self.writer = writer
        self.totals = RunningTotals()
        writer.listeners.append(self.totals.take)
        self._plan = plan
        self._records = RecordWriter(plan.run_id, plan.worker, writer)
        self.record = self._records.record_as  # custom users record their requests themselves
        self.users_max, self.descriptors = connections_possible(plan.users_max)
        self._environment = _Environment(user_classes=[DispatchUser, user_class])
        self._environment.sender = self
        self._runner = self._environment.create_local_runner()
        self.checks = ResponseCheck(plan.payload.path, plan.payload.response)
        self._tls = plan.tls_context
        spawn = functools.partial(self._spawn, user_class)
        self.queue = RequestQueue(spawn, self._ended, users_max=self.users_max, queue_max=plan.queue_max)
        self._outlets: list[RequestQueue | ConnectionPool] = [self.queue]
        self._pool: ConnectionPool | None = None
        if user_class is Predict and not self._tls:
            self._pool = self._connection_pool()
            self._outlets.append(self._pool)
        else:
            self.queue.add_users(_FIRST_USERS)
        self._dispatcher = Dispatcher(phases, self._lanes, now)

    def _connection_pool(self) -> ConnectionPool:
        return ConnectionPool(
            self._plan.address,
            self.now,
            id_of=self._records.id_of,
            ended=self._ended,
            timeout_s=self._plan.timeout_s,
            users_max=self.users_max,
            queue_max=self._plan.queue_max,
            checks=self.checks if self._plan.payload.response else None,
        )

    @property
    def start(self) -> float:
        """When play began, epoch seconds; nan before."""
        return self._records.start

    @property
    def asked(self) -> int:
        """Requests handed out so far."""
        return self._dispatcher.asked

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection or a user."""
        return sum(outlet.waiting for outlet in self._outlets)

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return sum(outlet.in_flight for outlet in self._outlets)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self.in_flight and not self.waiting

    def limits(self) -> dict[str, int]:
        """Return how far the sender's own limits were used, and what they are."""
        return {
            "in_flight_max": max(outlet.in_flight_max for outlet in self._outlets),
            "in_flight_bound": self.users_max,
            "waiting_max": max(outlet.waiting_max for outlet in self._outlets),
            "queue_max": self._plan.queue_max,
            "descriptors": self.descriptors,
        }

    def on_crash(self, tell: Callable[..., None]) -> None:
        """Call `tell(user_instance, exception, tb)` when our own code breaks, in a user or in the loop."""
        self._environment.events.user_error.add_listener(tell)  # type: ignore[no-untyped-call]
        gevent.get_hub().loop.error_handler = _LoopErrorHandler(tell)

    def play(self, start: float) -> Event:
        """Begin at `start`, epoch seconds; return what is set when every request has been handed out."""
        self._records.start = start
        self._spawn(DispatchUser, 1)
        return self._dispatcher.over

    def dispatch(self) -> None:
        """Play the phases, then wait for ever (in the dispatching user's greenlet)."""
        self._dispatcher.play(self.start)
        Event().wait()

    def serve(self, client: Client | None = None) -> None:
        """Send requests from the queue, for ever (in a user's greenlet). Without a client: over one kept connection."""
        plan = self._plan
        client = client or KeepAlive(plan.address, self.now, plan.timeout_s, self._tls, answers=BodyReader)
        try:
            while True:
                due, form = self.queue.take()
                exchange = Exchange(UNKNOWN, 0, self.now(), math.nan, math.nan)
                try:
                    exchange = client.send(self._records.id_of(due).decode(), form, due.body)
                finally:  # also when killed: the request may have been served
                    self.queue.done()
                    self._ended(due, exchange)
                if exchange.status == 200 and isinstance(client, KeepAlive) and self.checks.wanted(form):
                    self.checks.look(self._records.id_of(due), due.kind, client.body)
        finally:
            client.close()

    def finished(self, due: Due, exchange: Exchange) -> None:
        """A custom user has done what `due` asked for; its requests are recorded already."""
        self.queue.done()
        self._dispatcher.ended(due, exchange)

    def stop(self) -> None:
        """Hand out nothing more, and drop what waits."""
        self._dispatcher.stop()
        for outlet in self._outlets:
            outlet.drop_waiting()

    def end(self) -> None:
        """Give up what is under way (unknown) and what waits (dropped), and write every record."""
        self._dispatcher.stop()
        for outlet in self._outlets:
            outlet.end()
        self._runner.user_greenlets.kill(timeout=5)
        self._dispatcher.close()
        self.writer.close()

    def _spawn(self, user_class: type[User], count: int) -> None:
        self._runner.spawn_users({user_class.__name__: count})

    def _lanes(self, forms: Sequence[Form]) -> list[Lane]:
        return [self._outlet_for(form).lane(form) for form in forms]

    def _outlet_for(self, form: Form) -> RequestQueue | ConnectionPool:
        if self._pool and form.manner == "plain" and form.method != "HEAD":
            return self._pool
        return self.queue

    def _ended(self, due: Due, exchange: Exchange) -> None:
        self._records.record(due, exchange)
        self._dispatcher.ended(due, exchange)


class _LoopErrorHandler:
    """Gets the exceptions of the loop's callbacks, which gevent would print and forget."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._hub = gevent.get_hub()

    def handle_error(
        self, context: object, type: type[BaseException], value: BaseException, tb: TracebackType | None
    ) -> None:
        if not isinstance(context, gevent.Greenlet):
            self._tell(user_instance=None, exception=value, tb=tb)
        self._hub.handle_error(context, type, value, tb)
