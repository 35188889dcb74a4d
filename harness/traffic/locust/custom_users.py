"""Custom Locust users: loaded from a file; each arrival of the plan runs one task, and every request is recorded.

The first request of a task belongs to the arrival (kind `user`, intended when the arrival was due); further ones
(`user_more`) are intended when they are sent.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import logging
import math
import random
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import gevent
from locust import HttpUser, User
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession, FastHttpUser
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser
from locust.user.task import TaskSet

from tocsin.harness.core import legacy_modules
from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import ANSWERED, KINDS, UNKNOWN
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.clients.request_encoder import traceparent
from tocsin.harness.traffic.load_plan import TrafficPlan
from tocsin.harness.traffic.locust.locust_clients import host_of, outcome_of, status_of, verify_of
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due

_USER, _MORE = KINDS.index("user"), KINDS.index("user_more")
_MARK = "tocsin"
"""The key in the context of Locust's request event under which a request is known again."""
_LOGGED_ERRORS = 20
"""Errors of tasks that are logged; those after them are alike."""
_LISTENING: weakref.WeakSet[Environment] = weakref.WeakSet()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What `self.arrival` of a user is while a task runs: the request that the plan's payload would have sent."""

    body: bytes
    form: Form
    index: int


@dataclass(kw_only=True)
class _OpenRequest:
    """A request under way: its id, kind, and when it was intended and sent (epoch seconds)."""

    id: str
    kind: int
    intended: float
    sent: float


def user_class(plan: TrafficPlan) -> type[User]:
    """Return the class that the plan names, made to run its tasks on demand; StackError says why it cannot be used."""
    stem, _, name = plan.users.rpartition(".py:")
    path = Path(f"{stem}.py")
    custom = getattr(_module(path), name, None)
    if not (inspect.isclass(custom) and issubclass(custom, User)):
        raise StackError(f"{path.name} gives no Locust User class {name}: it is {custom!r}.")
    if not custom.tasks:
        raise StackError(f"The user class {name} of {path.name} has no tasks.", hint="Mark its methods with @task.")
    return _on_demand(custom, plan)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tocsin_users_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    legacy_modules.provide_for(path)
    sys.path.insert(0, str(path.parent))  # what lies beside the file can be imported, as with Locust itself
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise StackError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module


def _on_demand(custom: type[User], plan: TrafficPlan) -> type[User]:
    """Return a subclass with one task, which serves the request queue; its requests go to the service of the plan."""
    attributes: dict[str, object] = {"host": host_of(plan), "on_start": lambda self: None}
    if issubclass(custom, FastHttpUser):
        for name in ("network_timeout", "connection_timeout"):
            if getattr(custom, name) == getattr(FastHttpUser, name):
                attributes[name] = plan.timeout_s
    on_demand: type[User] = type(f"{custom.__name__}OnDemand", (custom,), attributes)
    on_demand.tasks = [lambda user: CustomUserRunner(user, custom, plan).serve()]
    return on_demand


class CustomUserRunner:
    """Runs one custom user: takes arrivals from the request queue and records its requests."""

    _errors = 0

    def __init__(self, user: User, custom: type[User], plan: TrafficPlan) -> None:
        self.sender: Any = user.environment.sender
        self._user: Any = user
        self._custom = custom
        self._plan = plan
        self._prefix = f"{plan.run_id}-{plan.worker}-"
        self._due: Due | None = None
        self._number = 0
        self._open: dict[str, _OpenRequest] = {}
        self._last = NEVER_SENT
        gevent.getcurrent().tocsin_runner = self
        if user.environment not in _LISTENING:
            _LISTENING.add(user.environment)
            user.environment.events.request.add_listener(_on_request)
        client = getattr(user, "client", None)
        if isinstance(client, (HttpSession, FastHttpSession)):
            client.request = self._marked(client.request)  # type: ignore[assignment,method-assign]
        if isinstance(user, HttpUser):
            user.client.trust_env = False
            user.client.verify = verify_of(plan)

    def serve(self) -> None:
        """Run one task for each arrival, for ever."""
        self._guarded(lambda: self._custom.on_start(self._user))
        self._give_up()
        while True:
            due, form = self.sender.queue.take()
            self._due, self._number = due, 0
            self._user.arrival = Arrival(body=due.body, form=form, index=due.index)
            task = random.Random(f"{self._plan.seed}-{due.index}").choice(self._custom.tasks)
            try:
                self._guarded(functools.partial(self._run, task))  # type: ignore[arg-type]
            finally:  # also when killed
                self._finish(due)

    def _run(self, task: Callable[[User], object]) -> None:
        task_set = task(self._user)
        if isinstance(task_set, TaskSet):  # a nested class: calling it has only made it
            task_set.run()  # type: ignore[no-untyped-call]

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, StopUser):
            return
        except Exception:
            CustomUserRunner._errors += 1
            if CustomUserRunner._errors <= _LOGGED_ERRORS:
                _log.exception("A task of %s broke", self._custom.__name__)

    def _finish(self, due: Due) -> None:
        """Complete the records of an arrival: what was begun and not reported is unknown, nothing begun is a drop."""
        self._give_up()
        if not self._number:
            self._last = NEVER_SENT
            self.sender.record(f"{self._prefix}{due.index}", _USER, NEVER_SENT, self.sender.start + due.at_s)
        self._due = None
        self.sender.finished(due, self._last)

    def _give_up(self) -> None:
        for request in list(self._open.values()):
            self.end(request, Exchange(UNKNOWN, 0, request.sent, math.nan, self.sender.now()))

    def begin(self, sent: float) -> _OpenRequest:
        """Begin the next request of the task under way, or one outside of any."""
        due, number = self._due, self._number
        self._number += 1
        kind, intended = _MORE, sent
        if due is None:
            suffix = f"s{id(self) % 10**6}.{number}"
        elif number:
            suffix = f"{due.index}.{number}"
        else:
            suffix, kind, intended = str(due.index), _USER, self.sender.start + due.at_s
        request = _OpenRequest(id=f"{self._prefix}{suffix}", kind=kind, intended=intended, sent=sent)
        self._open[request.id] = request
        return request

    def end(self, request: _OpenRequest, exchange: Exchange) -> None:
        """Record what became of a request; a second report of the same is not a second request."""
        if self._open.pop(request.id, None):
            self._last = exchange
            self.sender.record(request.id, request.kind, exchange, request.intended)

    def _marked(self, send: Callable[..., object]) -> Callable[..., object]:
        """Return the client's `request`, which adds our headers, and a mark by which Locust's event is recognized."""

        def marked(method: str, url: str, *args: object, **fields: Any) -> object:
            request = self.begin(self.sender.now())
            ids = {"x-request-id": request.id, "traceparent": traceparent(request.id)}
            fields["headers"] = {**(fields.get("headers") or {}), **ids}
            fields["context"] = {**(fields.get("context") or {}), _MARK: (self, request)}
            if isinstance(self._user, HttpUser):
                fields.setdefault("timeout", self._plan.timeout_s)
            return send(method, url, *args, **fields)

        return marked


def _on_request(
    response_time: float,
    response: object = None,
    context: Mapping[str, tuple[CustomUserRunner, _OpenRequest]] | None = None,
    exception: BaseException | None = None,
    start_time: float | None = None,
    **more: object,
) -> None:
    """Listen to Locust's request event: of our marked clients, and of any that fires it in its user's greenlet."""
    took_s = float(response_time or 0.0) / 1000
    runner: CustomUserRunner | None
    if context and _MARK in context:
        runner, request = context[_MARK]
    else:
        runner = getattr(gevent.getcurrent(), "tocsin_runner", None)
        if runner is None:
            return
        now = runner.sender.now()
        sent = now - took_s
        if start_time is not None:
            sent = start_time + (now - time.time())
        request = runner.begin(sent)
    status, error = status_of(response), exception or getattr(response, "error", None)
    outcome = ANSWERED  # without HTTP and without an error it went well
    if error or response is not None:
        outcome = outcome_of(error, status)
    runner.end(request, Exchange(outcome, status, request.sent, math.nan, request.sent + took_s))
