"""What faults of the network share: conditions on the proxy of an edge, and a look at the ways over it and past it."""

from __future__ import annotations

import http.client
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.live_stack import EdgeProxy, LiveStack
from tocsin.harness.declarations.references import Ref
from tocsin.harness.declarations.stack import Stack, ends_of
from tocsin.harness.faults.bases.fault import Params, State, Witness
from tocsin.harness.faults.bases.role import SEES

PATIENCE_S = 0.6
"""Wall seconds that a witness waits for an answer over the edge."""
PADDING = "x" * 4096
"""Sent along by witnesses of slowness: a request of a few bytes is not slowed down by a narrow edge."""
_FAR = 1.5


class EdgeParams(Params):
    """`edge` that is broken, written `caller -> role`."""

    edge: Annotated[str, Ref(kind="edge")]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a request went: what came back, after how many wall seconds, how many bytes in all."""

    how: Literal["answered", "refused", "reset", "silent", "cut"]
    took_s: float
    size: int = 0

    def __str__(self) -> str:
        return f"{self.how} after {1000 * self.took_s:.0f} ms"


class EdgeFault(ABC):
    """Sets conditions on an edge. The witness asks the role over the edge as its caller would, and directly."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    Params: ClassVar[type[Params]]
    interrupts: ClassVar[bool] = True
    """Whether what goes over the edge is taken as lost while it lasts."""
    padded: ClassVar[bool] = False

    def __init__(self, params: Any) -> None:
        self.params = params

    @abstractmethod
    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told (tocsin.harness.sidecars.proxy.conditions)."""

    @abstractmethod
    def judge(self, over: Seen, direct: Seen) -> State:
        """Tell from a request over the edge, and one past it that was answered, whether the fault is there."""

    def needs(self) -> tuple[str, ...]:
        """Return the edge."""
        return (f"edge:{self.params.edge}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come over the edge."""
        if not self.interrupts:
            return ()
        caller, called = ends_of(self.params.edge)
        signals = list(SEES.get(called, ())) if called != "prometheus" else []
        if caller == "prometheus" and called == stack.payload.role:
            signals.append("drift")
        if stack.signals.logs and called == stack.signals.logs.role:
            signals.append("logs")
        return tuple((signal, called) for signal in signals)

    def inject(self, live: LiveStack) -> None:
        """Set the conditions; StackError if the proxy does not take them."""
        try:
            self._proxy(live).set(**self.conditions())
        except OSError as error:
            raise StackError(f"The proxy of {self.params.edge} does not answer: {error}.") from None

    def heal(self, live: LiveStack) -> None:
        """Let everything pass; HealError if the proxy does not take it."""
        try:
            self._proxy(live).set()
        except OSError as error:
            raise HealError(f"The proxy of {self.params.edge} does not answer: {error}.") from None

    def witness(self, live: LiveStack) -> Witness:
        """Ask the role past the edge and over it. When the way past it is no good either, it cannot be told."""
        proxy, path = self._proxy(live), self._path(live)
        if path is None:
            return Witness(state="cannot_tell", detail=f"{self.params.edge}: the role called has no health path")
        direct = self._ask(proxy.calls, path, _FAR)
        over = self._over(proxy, path)
        detail = f"{self.params.edge}: over the edge {over}, past it {direct}"
        return Witness(state=self.judge(over, direct) if direct.how == "answered" else "cannot_tell", detail=detail)

    def _over(self, proxy: EdgeProxy, path: str) -> Seen:
        """Ask over the edge, from where its callers are if the engine can: a published port accepts what is refused."""
        inside = getattr(proxy, "ask", None)
        if inside is None:
            return self._ask(proxy.listens, path, PATIENCE_S)
        return Seen(**inside(path, PATIENCE_S, PADDING if self.padded else ""))

    def _ask(self, address: str, path: str, within_s: float) -> Seen:
        return ask(address, path, within_s, PADDING if self.padded else "")

    def _proxy(self, live: LiveStack) -> EdgeProxy:
        return live.proxy(self.params.edge)

    def _path(self, live: LiveStack) -> str | None:
        path = live.stack.roles[ends_of(self.params.edge)[1]].health.http
        return None if path is None or "{" in path else path


def ask(address: str, path: str, within_s: float, padding: str = "") -> Seen:
    """Ask once on a connection of its own, giving up after `within_s` wall seconds; never raises for what is seen."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    began = time.monotonic()
    how: Literal["answered", "refused", "reset", "silent", "cut"] = "answered"
    size = 0
    try:
        connection.request("GET", path, headers={"X-Padding": padding} if padding else {})
        response = connection.getresponse()
        size = len(response.read()) + len(str(response.headers)) + len(padding)
    except ConnectionRefusedError:
        how = "refused"
    except TimeoutError:
        how = "silent"
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, http.client.BadStatusLine):
        how = "cut"
    except (OSError, http.client.HTTPException):
        how = "reset"
    finally:
        connection.close()
    return Seen(how=how, took_s=time.monotonic() - began, size=size)


def slowed(over: Seen, direct: Seen, by_s: float) -> State:
    """Tell whether the way over the edge takes longer by about `by_s`: half of it shows it, a quarter denies it."""
    if over.how not in ("answered", "silent"):
        return "cannot_tell"
    more_s = over.took_s - direct.took_s
    if more_s >= by_s / 2 or (over.how == "silent" and by_s > PATIENCE_S):
        return "present"
    return "absent" if over.how == "answered" and more_s < by_s / 4 else "cannot_tell"
