"""The contract of a stack folder: what its `stack.yaml` may say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, model_validator

from tocsin.harness.core.base_model import Frozen, InFolder, Seconds
from tocsin.harness.declarations.builtin_roles import with_builtin_starts
from tocsin.harness.declarations.guardrails import Allowed, Budget
from tocsin.harness.declarations.launch_spec import ComposeFiles, ComposeStart, Health, LocalStart
from tocsin.harness.declarations.request_format import Payload
from tocsin.harness.declarations.stack_signals import Signals, TimeScales


class Role(Frozen):
    """A part of the stack. The first of `ports` is its address; `fixed_s` is the start time no speed divides."""

    ports: Mapping[str, int]
    fixed_s: float = 0.0
    memory_mib: int = 50
    local: LocalStart | None = None
    compose: ComposeStart = ComposeStart()
    external: Mapping[str, str] = {}
    """Port name -> `host:port`, or `${env:NAME}`, where the role is reached in a system that runs already."""

    @property
    def health(self) -> Health:
        """How to tell that it is up, whichever engine started it; an empty one where nobody says."""
        return self.compose.health or (self.local.health if self.local else Health())

    @property
    def primary(self) -> str:
        """The name of the port that other roles call."""
        return next(iter(self.ports))


CLIENTS = "clients"
"""The caller of the edge from the traffic to the service; every stack has that edge."""


def ends_of(edge: str) -> tuple[str, str]:
    """Return (caller, role called) of an edge written `caller -> role`."""
    caller, _, called = edge.partition("->")
    return caller.strip(), called.strip()


class Hook(Frozen):
    """A fault switch inside a service: PUT with JSON parameters turns it on, DELETE off, GET tells.

    `{kind}` in `path` stands for the kind of the fault.
    """

    role: str
    port: str
    path: str


def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), name) is not None


class Disk(Frozen):
    """A folder of a role that can be a small file system of its own (`mib`), in drills that need it.

    `path` is where it lies (with placeholders, locally); `inside` where the role's container has it.
    """

    role: str
    path: str
    mib: int = Field(gt=0, le=1024)
    inside: str | None = None


class Stack(InFolder):
    """A stack folder, as declared by its stack.yaml; `folder` is where it lies.

    `prometheus` and `alertmanager` are the paths of their configuration, None for a stack without.
    """

    version: int
    name: str
    summary: str = ""
    render: tuple[str, ...] = ()
    paths: Mapping[str, str] = {}
    prometheus: str | None = None
    alertmanager: str | None = None
    roles: Mapping[str, Role]
    edges: tuple[str, ...] = ()
    timers: Mapping[str, Mapping[str, Seconds]] = {}
    scales: TimeScales = TimeScales()
    signals: Signals
    payload: Payload
    compose: ComposeFiles | None = None
    hooks: Mapping[str, Hook] = {}
    disks: Mapping[str, Disk] = {}
    dashboards: tuple[str, ...] = ()
    """Files, as patterns below the folder: Grafana's dashboards (JSON) and where data sources are (YAML)."""
    budget: Budget | None = None
    """For scenarios that have none of their own."""
    allow_faults: tuple[str | Allowed, ...] = ()
    """Kinds of faults, everywhere or on one role, that may be played on a system that is not ours."""

    @model_validator(mode="before")
    @classmethod
    def _with_builtin_starts(cls, content: object) -> object:
        return with_builtin_starts(content)

    @property
    def all_edges(self) -> tuple[str, ...]:
        """Every edge a fault may name, written `caller -> role`: those declared, and the clients' own."""
        return tuple(" -> ".join(ends_of(edge)) for edge in (*self.edges, f"{CLIENTS} -> {self.payload.role}"))

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs that its roles run on the local engine, sorted."""
        starts = [role.local for role in self.roles.values() if role.local]
        return tuple(sorted({start.program for start in starts if start.program}))

    def hook(self, name: str) -> Hook | None:
        """Return the hook of this name, else the first whose name is a pattern for it, or None.

        Names are `<kind>` or `<kind>/<role>`; in a pattern `*` stands for anything but a slash.
        """
        names = [name, *(pattern for pattern in self.hooks if _matches(pattern, name))]
        for candidate in names:
            hook = self.hooks.get(candidate)
            if hook is not None:
                return hook.model_copy(update={"path": hook.path.replace("{kind}", name.partition("/")[0])})
        return None
