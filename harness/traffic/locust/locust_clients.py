"""Locust's own clients behind ours: FastHttpUser (geventhttpclient) and HttpUser (requests), with the same records."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import requests
from locust import HttpUser, constant, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS, FastHttpUser
from urllib3.exceptions import NewConnectionError

from tocsin.harness.evidence.requests import ANSWERED, FAILED, UNKNOWN
from tocsin.harness.traffic.clients.exchange import Exchange
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.clients.request_encoder import traceparent
from tocsin.harness.traffic.load_plan import TrafficPlan
from tocsin.harness.traffic.payloads.request_protocol import Form


def outcome_of(error: BaseException | None, status: int) -> int:
    """Return the place in OUTCOMES of a request that a Locust client has ended, from its error and status (0: none).

    A whole answer is answered, whatever its status and whatever a response check makes of it. Failed is what never
    had a connection; all else may have been served.
    """
    if status and getattr(error, "response", None) is not None:  # a status that the client takes for an error
        return ANSWERED
    if error is None or (status and not isinstance(error, FAILURE_EXCEPTIONS)):
        return ANSWERED if status else UNKNOWN
    return FAILED if _never_connected(error) else UNKNOWN


def _never_connected(error: BaseException) -> bool:
    if isinstance(error, (ConnectionRefusedError, requests.ConnectTimeout)):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def status_of(response: Any) -> int:
    """Return the HTTP status of a Locust client's response, 0 if there was none."""
    status = getattr(response, "status_code", 0)
    return status if isinstance(status, int) and 0 < status < 65536 else 0


class Session:
    """A Locust session as our client. What it cannot send, which is every manner but plain, goes over a KeepAlive."""

    def __init__(self, session: Any, plan: TrafficPlan, now: Callable[[], float], more: dict[str, Any]) -> None:
        session.request_event = self
        self._session = session
        self._error: BaseException | None = None
        self._now = now
        self._more = more
        self._other = KeepAlive(plan.address, now, plan.timeout_s, plan.tls.context() if plan.tls else None)

    def send(self, request_id: str, form: Form, body: bytes) -> Exchange:
        """Send one request, follow no redirect, and return what became of it; the first byte's time is not known."""
        if form.manner != "plain":
            return self._other.send(request_id, form, body)
        headers = {**dict(form.headers), "x-request-id": request_id, "traceparent": traceparent(request_id)}
        if form.content_type:
            headers["content-type"] = form.content_type
        sent = self._now()
        self._error = None
        response = self._session.request(
            form.method, form.path, data=body, headers=headers, allow_redirects=False, **self._more
        )
        done, status = self._now(), status_of(response)
        return Exchange(outcome_of(self._error, status), status, sent, math.nan, done)

    def fire(self, *, exception: BaseException | None = None, **more: Any) -> None:
        """Hear, in the place of Locust's request event, how a request ended: what it returns does not say all."""
        self._error = exception

    def close(self) -> None:
        """Close the other connection; the session's end with its user."""
        self._other.close()


def fast_http(plan: TrafficPlan) -> type[FastHttpUser]:
    """Return the user of `client: fasthttp`."""

    class FastHttp(FastHttpUser):
        """Serves the desk over Locust's FastHttpSession."""

        host = host_of(plan)
        wait_time = constant(0)
        network_timeout = connection_timeout = plan.timeout_s
        insecure = not (plan.tls and plan.tls.verify)

        @task
        def serve(self) -> None:
            """Send what the desk gives."""
            sender = self.environment.sender
            sender.serve(Session(self.client, plan, sender.now, {}))

    return FastHttp


def http(plan: TrafficPlan) -> type[HttpUser]:
    """Return the user of `client: http`."""

    class Http(HttpUser):
        """Serves the desk over Locust's HttpSession."""

        host = host_of(plan)
        wait_time = constant(0)

        @task
        def serve(self) -> None:
            """Send what the desk gives."""
            sender = self.environment.sender
            self.client.trust_env = False  # no proxy of the environment stands between
            self.client.verify = verify_of(plan)
            sender.serve(Session(self.client, plan, sender.now, {"timeout": plan.timeout_s}))

    return Http


def host_of(plan: TrafficPlan) -> str:
    """Return the base URL of the service under load."""
    return f"{'https' if plan.tls else 'http'}://{plan.address}"


def verify_of(plan: TrafficPlan) -> bool | str:
    """Return what `requests` takes as `verify`."""
    if plan.tls is None or not plan.tls.verify:
        return False
    return str(plan.tls.ca) if plan.tls.ca else True
