"""Wraps Locust's own clients, FastHttpUser (geventhttpclient) and HttpUser (requests), to keep the same records."""

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
    taken_for_error = getattr(error, "response", None) is not None  # an answer whose status the client does not like
    if status and (taken_for_error or not isinstance(error, FAILURE_EXCEPTIONS)):
        return ANSWERED
    return FAILED if _never_connected(error) else UNKNOWN


def _never_connected(error: BaseException | None) -> bool:
    if isinstance(error, (ConnectionRefusedError, requests.ConnectTimeout)):
        return True
    causes = getattr(error, "args", ())[:1]
    return any(isinstance(getattr(cause, "reason", None), NewConnectionError) for cause in causes)


def status_of(response: object) -> int:
    """Return the HTTP status of a Locust client's response, 0 if there was none."""
    status = getattr(response, "status_code", 0)
    return status if isinstance(status, int) and 0 < status < 65536 else 0


class Session:
    """A Locust session as our client. What it cannot send (every manner but plain) goes over a KeepAlive."""

    def __init__(self, session: Any, plan: TrafficPlan, now: Callable[[], float], fields: dict[str, float]) -> None:
        session.request_event = self
        self._session = session
        self._error: BaseException | None = None
        self._now = now
        self._fields = fields
        self._keepalive = KeepAlive(plan.address, now, plan.timeout_s, plan.tls_context)

    def send(self, request_id: str, form: Form, body: bytes) -> Exchange:
        """Send one request, follow no redirect, and return what became of it; the first byte's time is not known."""
        if form.manner != "plain":
            return self._keepalive.send(request_id, form, body)
        headers = {**dict(form.headers), "x-request-id": request_id, "traceparent": traceparent(request_id)}
        if form.content_type:
            headers["content-type"] = form.content_type
        sent = self._now()
        self._error = None
        response = self._session.request(
            form.method, form.path, data=body, headers=headers, allow_redirects=False, **self._fields
        )
        done, status = self._now(), status_of(response)
        return Exchange(outcome_of(self._error, status), status, sent, math.nan, done)

    def fire(self, *, exception: BaseException | None = None, **more: object) -> None:
        """Stand in for Locust's request event: the returned response does not tell everything about the end."""
        self._error = exception

    def close(self) -> None:
        """Close the other connection; the session's end with its user."""
        self._keepalive.close()


def fast_http(plan: TrafficPlan) -> type[FastHttpUser]:
    """Return the user of `client: fasthttp`."""

    class FastHttp(FastHttpUser):
        """Serves the request queue over Locust's FastHttpSession."""

        host = host_of(plan)
        wait_time = constant(0)
        network_timeout = connection_timeout = plan.timeout_s
        insecure = not (plan.tls and plan.tls.verify)

        @task
        def serve(self) -> None:
            """Send what the queue gives."""
            sender = self.environment.sender
            sender.serve(Session(self.client, plan, sender.now, {}))

    return FastHttp


def http(plan: TrafficPlan) -> type[HttpUser]:
    """Return the user of `client: http`."""

    class Http(HttpUser):
        """Serves the request queue over Locust's HttpSession."""

        host = host_of(plan)
        wait_time = constant(0)

        @task
        def serve(self) -> None:
            """Send what the queue gives."""
            sender = self.environment.sender
            self.client.trust_env = False  # no proxy of the environment stands between
            self.client.verify = verify_of(plan)
            sender.serve(Session(self.client, plan, sender.now, {"timeout": plan.timeout_s}))

    return Http


def host_of(plan: TrafficPlan) -> str:
    """Return the base URL of the service under load."""
    scheme = "https" if plan.tls else "http"
    return f"{scheme}://{plan.address}"


def verify_of(plan: TrafficPlan) -> bool | str:
    """Return what `requests` takes as `verify`."""
    if plan.tls is None or not plan.tls.verify:
        return False
    return True if plan.tls.ca is None else str(plan.tls.ca)
