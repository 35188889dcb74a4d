"""The protocol of a fault: inject, heal, witness. No fault sleeps; play waits for its witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from harness.stack import Frozen, LiveStack, Stack

State = Literal["present", "absent", "cannot_tell"]


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What was seen of a fault's effect, by a path that is not the injection call."""

    state: State
    detail: str


class Params(Frozen):
    """Base of a fault's parameters."""


class Fault(Protocol):
    """One kind of breakage and its cure.

    `needs` names what the stack or the engine must have (`hook:<name>`, `role:<name>`, `edge:<caller> -> <role>`,
    `handle:<name>` of `harness.stack.HANDLES`). A class attribute `outlives = True`, where there is one, says that
    what it breaks would survive the end of the stack's processes: then the guardian heals it, so `heal` works in
    another process, from parameters and stack alone.
    `heal` may be called any number of times, also when nothing was injected. All state lives in the stack and in the
    guard's record.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    Params: ClassVar[type[Params]]

    def __init__(self, params: Any) -> None: ...

    def needs(self) -> tuple[str, ...]: ...  # noqa: D102

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]: ...  # noqa: D102

    def inject(self, live: LiveStack) -> None: ...  # noqa: D102

    def heal(self, live: LiveStack) -> None: ...  # noqa: D102

    def witness(self, live: LiveStack) -> Witness: ...  # noqa: D102
