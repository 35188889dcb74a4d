"""The protocol of a fault: inject, heal, witness. No fault sleeps; play waits for its witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack

State = Literal["present", "absent", "cannot_tell"]

HANDLES: Mapping[str, str] = {
    "start": "A role can be ended, and started again on the same ports.",
    "signal": "Signals reach all processes of a role.",
    "freeze": "SIGSTOP and SIGCONT freeze all of a role, and the kernel or the runtime tells whether it is frozen.",
    "run_in": "A short command can run where the role's files are, as the role's user.",
    "limit:memory": "The memory of a role can be limited while it runs; what exceeds it is killed by the kernel.",
    "limit:open_files": "The number of files that a role may open can be limited while it runs.",
    "disconnect": "A role can be taken off its networks, and put on them again.",
    "slow:<name>": "The writes of its role to the disk of that name can be slowed.",
    "disk:<name>": "The disk of that name in stack.yaml is a small file system of its own in drills that need it.",
}
"""What an engine may offer; a fault asks for it with the need `handle:<name>`."""


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
    `handle:<name>` of `HANDLES`). A class attribute `outlives = True`, where there is one, says that
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
