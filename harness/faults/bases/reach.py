"""What a fault reaches: roles and edges, told by what it needs; what guardrails and random draws are reckoned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin.harness.declarations.guardrails import Reach
from tocsin.harness.declarations.restarting_faults import RESTARTING
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults import by_kind, make

Reaches = Callable[[Mapping[str, Any], Stack], Reach]


def reaches() -> dict[str, Reaches]:
    """Return kind -> function (params, stack) -> Reach, for `Catalogue.reach`."""
    return {kind: _reaches(kind) for kind in by_kind()}


def _reaches(kind: str) -> Reaches:
    return lambda params, stack: reach(kind, params, stack)


def reach(kind: str, params: Mapping[str, Any], stack: Stack) -> Reach:
    """Return what a fault touches: the roles and edges it needs, and the role behind a hook that it works through."""
    fault = make(kind, params)
    roles, edges = [], []
    for need in fault.needs():
        what, _, name = need.partition(":")
        if what == "role":
            roles.append(name)
        elif what == "edge":
            edges.append(name)
        elif what == "hook" and name in stack.hooks:
            roles.append(stack.hooks[name].role)
    targets = tuple(dict.fromkeys((*roles, *edges)))
    return Reach(
        targets=targets,
        roles=tuple(dict.fromkeys(roles)),
        restarts=kind in RESTARTING,
        separate=bool(getattr(fault, "separate", False)),
        harmless=bool(getattr(fault, "harmless", False)),
    )
