"""The contract of a fault: inject, heal, witness. No fault sleeps; the drill waits for its witness."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.declarations.guardrails import MACHINE, ActiveFault
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack

State = Literal["present", "absent", "cannot_tell"]

CAPABILITIES: Mapping[str, str] = {
    "start": "A role can be ended, and started again on the same ports.",
    "signal": "Signals reach all processes of a role.",
    "freeze": "SIGSTOP and SIGCONT freeze all of a role, and the kernel or the runtime tells whether it is frozen.",
    "run_in": "A short command can run where the role's files are, as the role's user.",
    "limit:memory": "The memory of a role can be limited while it runs; the kernel kills what exceeds the limit.",
    "limit:open_files": "The number of files that a role may open can be limited while it runs.",
    "disconnect": "A role can be taken off its networks, and put on them again.",
    "slow:<name>": "The writes of its role to the disk of that name can be slowed.",
    "disk:<name>": "The disk of that name in stack.yaml is a small file system of its own in drills that need it.",
}
"""What an engine can do to a stack; a fault asks for it with the need `capability:<name>`."""


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What was seen of a fault's effect, by a path that is not the injection call."""

    state: State
    detail: str


def present(detail: str) -> Witness:
    """Return that the effect is there."""
    return Witness(state="present", detail=detail)


def absent(detail: str) -> Witness:
    """Return that the effect is not there."""
    return Witness(state="absent", detail=detail)


def cannot_tell(detail: str) -> Witness:
    """Return that what was seen proves neither."""
    return Witness(state="cannot_tell", detail=detail)


def present_if(shown: bool, detail: str, *, otherwise: State = "absent") -> Witness:
    """Return that the effect is there if it showed, and `otherwise` if not."""
    return present(detail) if shown else Witness(state=otherwise, detail=detail)


def absent_if(well: bool, detail: str) -> Witness:
    """Return that the effect is not there if all is well, else that nobody can tell."""
    return absent(detail) if well else cannot_tell(detail)


def witness_of(detail: str, *, shown: bool, well: bool) -> Witness:
    """Return that the effect is there if it showed, that it is not if all is well, else that nobody can tell."""
    return present(detail) if shown else absent_if(well, detail)


class Params(Frozen):
    """No parameters: the base of those that a fault takes."""

    example: ClassVar[Mapping[str, object]] = {}
    """A good set of them, which the reference stack can play; used by tests and documents."""


class Fault(ABC):
    """One kind of breakage, its cure, and the proof of both.

    A subclass lives in a file named like its kind. The first line of its docstring is its summary, the annotation
    `params: <Model>` says which parameters it takes. All state lives in the stack and in the guard's record.
    """

    kind: ClassVar[str]
    """The name in scenarios: the name of its file."""
    summary: ClassVar[str]
    params_model: ClassVar[type[Params]] = Params
    """The class that `params` is annotated with; it validates them."""
    params: Params
    capabilities: ClassVar[tuple[str, ...]] = ()
    """What the engine must be able to do, by the names in `CAPABILITIES`."""
    outlives: ClassVar[bool] = False
    """Whether the breakage survives the end of the stack's processes. The guardian heals it then, in another process,
    from parameters and stack alone."""
    separate: ClassVar[bool] = False
    """Whether two of this kind with different parameters leave each other alone."""
    harmless: ClassVar[bool] = False
    """Whether it breaks nothing that anybody depends on."""
    restarts_role: ClassVar[Literal["", "at_once", "at_heal", "looping"]] = ""
    """When the role that it ends starts again: in `inject`, in `heal`, or over and over before. Empty: it ends none."""

    def __init_subclass__(cls) -> None:
        """Derive kind, summary and the model of the parameters, unless the class sets them itself."""
        super().__init_subclass__()
        given = vars(cls)
        if "kind" not in given:
            cls.kind = cls.__module__.rpartition(".")[2]
        if "summary" not in given and cls.__doc__:
            cls.summary = cls.__doc__.splitlines()[0]
        model = given.get("__annotations__", {}).get("params", cls.params_model)
        if isinstance(model, str):  # as `from __future__ import annotations` leaves it
            model = vars(sys.modules[cls.__module__])[model]
        cls.params_model = model

    def __init__(self, params: Params) -> None:
        """Take validated parameters: an instance of `params_model`."""
        self.params = params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fault) and (self.kind, self.params) == (other.kind, other.params)

    def __hash__(self) -> int:
        return hash(self.kind)

    @classmethod
    def of(cls, params: Mapping[str, object]) -> Self:
        """Return a fault with parameters as a scenario writes them; ValidationError if they do not fit."""
        return cls(cls.params_model.model_validate(dict(params)))

    def needs(self) -> tuple[str, ...]:
        """Return what the stack or the engine must have: its capabilities, and what a subclass adds.

        `hook:<name>`, `role:<name>`, `edge:<caller> -> <role>`, or `capability:<name>`.
        """
        return tuple(f"capability:{name}" for name in self.capabilities)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that cannot be seen while it lasts, as pairs (signal, role)."""
        return ()

    @abstractmethod
    def inject(self, live: LiveStack) -> None:
        """Break something; a second call changes nothing. StackError or OSError if it cannot be done."""

    @abstractmethod
    def heal(self, live: LiveStack) -> None:
        """Undo it. It may be called any number of times, also when nothing was injected. HealError if it fails."""

    @abstractmethod
    def witness(self, live: LiveStack) -> Witness:
        """Look for the effect, by another path than the injection. OSError counts as `cannot_tell`."""


def touched(fault: Fault, stack: Stack) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the roles and the edges that a fault needs, with the role behind a hook that it works through."""
    roles, edges = [], []
    for need in fault.needs():
        sort, _, name = need.partition(":")
        if sort == "role":
            roles.append(name)
        elif sort == "edge":
            edges.append(name)
        elif sort == "hook":
            hook = stack.hook(name)
            if hook is not None:
                roles.append(hook.role)
    return tuple(dict.fromkeys(roles)), tuple(dict.fromkeys(edges))


def active_fault(fault: Fault, stack: Stack, *, name: str, start_s: float, end_s: float) -> ActiveFault:
    """Return a fault as guardrails see it, active from `start_s` to `end_s`."""
    roles, edges = touched(fault, stack)
    return ActiveFault(
        name=name,
        kind=fault.kind,
        params=fault.params,
        start_s=start_s,
        end_s=end_s,
        targets=(*roles, *edges) or (MACHINE,),
        roles=roles,
        restarts=bool(fault.restarts_role),
        separate=fault.separate,
        harmless=fault.harmless,
    )
