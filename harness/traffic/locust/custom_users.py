"""Locust users of one's own: loaded from a file, their tasks run when an arrival asks for it, every request recorded.

Each arrival of the plan makes one user run one of its tasks. The first request of a task is the arrival's (kind `user`,
intended when it was due); further ones (`user_more`) are intended when they are sent.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from locust import HttpUser, User
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession, FastHttpUser
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser
from locust.user.task import TaskSet

from tocsin.harness.core import legacy_names
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
_TOLD = 20
"""Errors of tasks that are logged; those after them are alike."""
_HEARING: weakref.WeakSet[Environment] = weakref.WeakSet()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What `self.arrival` of a user is while a task runs: the request that the plan's payload would have sent."""

    body: bytes
    form: Form
    index: int


@dataclass(kw_only=True)
class _Begun:
    """A request under way: its id, kind, and when it was intended and sent (epoch seconds)."""

    id: str
    kind: int
    intended: float
    sent: float


def user_class(plan: TrafficPlan) -> type[User]:
    """Return the class that the plan names, made to run its tasks on demand; StackError says why it cannot be used."""
    stem, _, name = plan.users.rpartition(".py:")
    path = Path(f"{stem}.py")
    found = getattr(_module(path), name, None)
    if not (inspect.isclass(found) and issubclass(found, User)):
        raise StackError(f"{path.name} gives no Locust User class {name}: it is {found!r}.")
    if not found.tasks:
        raise StackError(f"The user class {name} of {path.name} has no tasks.", hint="Mark its methods with @task.")
    return _on_demand(found, plan)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"tocsin_users_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    legacy_names.provide_for(path)
    sys.path.insert(0, str(path.parent))  # what lies beside the file can be imported, as with Locust itself
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise StackError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module


def _on_demand(theirs: type[User], plan: TrafficPlan) -> type[User]:
    """Return a subclass with one task, which serves the desk; its requests go to the service of the plan."""
    more: dict[str, Any] = {"host": host_of(plan), "on_start": lambda self: None}
    if issubclass(theirs, FastHttpUser):
        patience = {"network_timeout": plan.timeout_s, "connection_timeout": plan.timeout_s}
        more |= {
            name: value for name, value in patience.items() if getattr(theirs, name) == getattr(FastHttpUser, name)
        }
    made: type[User] = type(f"{theirs.__name__}OnDemand", (theirs,), more)
    made.tasks = [lambda user: CustomUserRunner(user, theirs, plan).serve()]
    return made


class CustomUserRunner:
    """One user of one's own at work: takes arrivals from the desk and keeps the records of its requests."""

    _errors = 0

    def __init__(self, user: Any, theirs: type[User], plan: TrafficPlan) -> None:
        self._user = user
        self._theirs = theirs
        self._plan = plan
        self._sender = user.environment.sender
        self._prefix = f"{plan.run_id}-{plan.worker}-"
        self._due: Due | None = None
        self._number = 0
        self._open: dict[str, _Begun] = {}
        self._last = NEVER_SENT
        gevent.getcurrent().tocsin_own = self
        if user.environment not in _HEARING:
            _HEARING.add(user.environment)
            user.environment.events.request.add_listener(_on_request)
        client = getattr(user, "client", None)
        if isinstance(client, (HttpSession, FastHttpSession)):
            client.request = self._marked(client.request)  # type: ignore[method-assign]
        if isinstance(user, HttpUser):
            user.client.trust_env = False
            user.client.verify = verify_of(plan)

    def serve(self) -> None:
        """Run one task for each arrival, for ever."""
        self._guarded(lambda: self._theirs.on_start(self._user))
        self._give_up()
        while True:
            due, form = self._sender.desk.take()
            self._due, self._number = due, 0
            self._user.arrival = Arrival(body=due.body, form=form, index=due.index)
            chosen = random.Random(f"{self._plan.seed}-{due.index}").choice(self._theirs.tasks)
            try:
                self._guarded(functools.partial(self._run, chosen))
            finally:  # also when killed
                self._finish(due)

    def _run(self, task: Any) -> None:
        if inspect.isclass(task) and issubclass(task, TaskSet):
            task(self._user).run()
        else:
            task(self._user)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, StopUser):
            return
        except Exception:
            CustomUserRunner._errors += 1
            if CustomUserRunner._errors <= _TOLD:
                _log.exception("A task of %s broke", self._theirs.__name__)

    def _finish(self, due: Due) -> None:
        """Close the books of an arrival: what was begun and never reported is unknown, nothing begun is a drop."""
        self._give_up()
        if not self._number:
            self._last = NEVER_SENT
            self._sender.record(f"{self._prefix}{due.index}", _USER, NEVER_SENT, self._sender.start + due.at_s)
        self._due = None
        self._sender.finished(due, self._last)

    def _give_up(self) -> None:
        for one in list(self._open.values()):
            self.end(one, Exchange(UNKNOWN, 0, one.sent, math.nan, self._sender.now()))

    def begin(self, sent: float) -> _Begun:
        """Begin the next request of the task under way, or one outside of any."""
        due, number = self._due, self._number
        self._number += 1
        if due is None:
            stamp = f"s{id(self) % 10**6}.{number}"
            one = _Begun(id=f"{self._prefix}{stamp}", kind=_MORE, intended=sent, sent=sent)
        elif number:
            one = _Begun(id=f"{self._prefix}{due.index}.{number}", kind=_MORE, intended=sent, sent=sent)
        else:
            intended = self._sender.start + due.at_s
            one = _Begun(id=f"{self._prefix}{due.index}", kind=_USER, intended=intended, sent=sent)
        self._open[one.id] = one
        return one

    def end(self, one: _Begun, exchange: Exchange) -> None:
        """Write down what became of a request; a second report of the same is not a second request."""
        if self._open.pop(one.id, None):
            self._last = exchange
            self._sender.record(one.id, one.kind, exchange, one.intended)

    def _marked(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """Return the client's `request`, which now sends our headers and knows its request again in Locust's event."""

        def marked(method: str, url: str, *args: Any, **more: Any) -> Any:
            one = self.begin(self._sender.now())
            ours = {"x-request-id": one.id, "traceparent": traceparent(one.id)}
            more["headers"] = {**(more.get("headers") or {}), **ours}
            more["context"] = {**(more.get("context") or {}), _MARK: (self, one)}
            if isinstance(self._user, HttpUser):
                more.setdefault("timeout", self._plan.timeout_s)
            return request(method, url, *args, **more)

        return marked

    @property
    def sender(self) -> Any:
        """The sender of this worker."""
        return self._sender


def _on_request(
    response_time: float,
    response: Any = None,
    context: Any = None,
    exception: BaseException | None = None,
    start_time: float | None = None,
    **more: Any,
) -> None:
    """Hear Locust's request event: of our marked clients, and of any client that fires it in its user's greenlet."""
    own, one = (context or {}).get(_MARK, (None, None))
    took_s = float(response_time or 0.0) / 1000
    if own is None:
        own = getattr(gevent.getcurrent(), "tocsin_own", None)
        if own is None:
            return
        now = own.sender.now()
        sent = now - took_s if start_time is None else start_time + (now - time.time())
        one = own.begin(sent)
    status, error = status_of(response), exception or getattr(response, "error", None)
    outcome = outcome_of(error, status) if error or response is not None else ANSWERED  # without HTTP: it went well
    own.end(one, Exchange(outcome, status, one.sent, math.nan, one.sent + took_s))
