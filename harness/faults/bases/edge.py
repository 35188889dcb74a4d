"""Faults of the network: conditions on the proxy of an edge, and a request over the edge and past it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.check_arguments import Ref
from tocsin.harness.declarations.fault_contract import Fault, Params, State, Witness, cannot_tell
from tocsin.harness.declarations.stack import Stack, ends_of
from tocsin.harness.declarations.stack_interface import EdgeReply, LiveStack
from tocsin.harness.faults.bases.role import SEES, health_path
from tocsin.harness.sidecars.proxy.probe import ask_once

PATIENCE_S = 0.6
"""Wall seconds that a witness waits for an answer over the edge."""
PADDING = "x" * 4096
"""Sent along by witnesses of slowness: a request of a few bytes is not slowed down by a narrow edge."""
_PAST_S = 1.5
"""Wall seconds that a witness waits for an answer past the edge."""


class EdgeParams(Params):
    """`edge` that is broken, written `caller -> role`."""

    edge: Annotated[str, Ref(kind="edge")]
    example = {"edge": "prometheus -> model"}


class EdgeFault(Fault):
    """Sets conditions on an edge. The witness asks the role over the edge as its caller would, and directly."""

    params: EdgeParams
    interrupts: ClassVar[bool] = True
    """Whether what goes over the edge counts as lost while it lasts."""
    padding: ClassVar[str] = ""
    """What the witness's requests carry besides."""
    shows_as: ClassVar[Literal["", "refused", "silent", "reset"]] = ""
    """How a request over the edge goes while the fault is there, for those that judge by that alone."""

    @abstractmethod
    def conditions(self) -> Mapping[str, object]:
        """Return the conditions of the proxy (tocsin.harness.sidecars.proxy.conditions)."""

    def judge(self, over: EdgeReply, direct: EdgeReply) -> State:
        """Tell from a request over the edge, and one past it that was answered, whether the fault is there."""
        states: dict[str, State] = {self.shows_as: "present", "answered": "absent"}
        return states.get(over.how, "cannot_tell")

    def needs(self) -> tuple[str, ...]:
        """Return the edge."""
        return (f"edge:{self.params.edge}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come over the edge."""
        if not self.interrupts:
            return ()
        caller, called = ends_of(self.params.edge)
        signals: list[str] = []
        if called != "prometheus":
            signals += SEES.get(called, ())
        if caller == "prometheus" and called == stack.payload.role:
            signals.append("drift")
        if stack.signals.logs is not None and called == stack.signals.logs.role:
            signals.append("logs")
        return tuple((signal, called) for signal in signals)

    def inject(self, live: LiveStack) -> None:
        """Set the conditions; StackError if the proxy does not take them."""
        try:
            live.proxy(self.params.edge).set(**self.conditions())
        except OSError as error:
            raise StackError(f"The proxy of {self.params.edge} does not answer: {error}.") from None

    def heal(self, live: LiveStack) -> None:
        """Let everything pass; HealError if the proxy does not take it."""
        try:
            live.proxy(self.params.edge).set()
        except OSError as error:
            raise HealError(f"The proxy of {self.params.edge} does not answer: {error}.") from None

    def witness(self, live: LiveStack) -> Witness:
        """Ask the role past the edge and over it. If the way past it fails, too, nobody can tell."""
        proxy = live.proxy(self.params.edge)
        path = health_path(live.stack, ends_of(self.params.edge)[1])
        if path is None:
            return cannot_tell(f"{self.params.edge}: the role called has no health path")
        direct = ask_once(proxy.calls, path, _PAST_S, self.padding)
        over = proxy.ask(path, PATIENCE_S, self.padding)
        detail = f"{self.params.edge}: over the edge {over}, past it {direct}"
        if direct.how != "answered":
            return cannot_tell(detail)
        return Witness(state=self.judge(over, direct), detail=detail)


def slowed(over: EdgeReply, direct: EdgeReply, by_s: float) -> State:
    """Tell whether the way over the edge takes longer by about `by_s`: half of it shows it, a quarter denies it."""
    if over.how not in ("answered", "silent"):
        return "cannot_tell"
    more_s = over.took_s - direct.took_s
    if more_s >= by_s / 2 or (over.how == "silent" and by_s > PATIENCE_S):
        return "present"
    if over.how == "answered" and more_s < by_s / 4:
        return "absent"
    return "cannot_tell"
