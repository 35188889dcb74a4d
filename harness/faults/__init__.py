"""Every fault by its kind, which is the name of its file in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from tocsin.harness.declarations.fault_contract import Fault
from tocsin.harness.declarations.stack import Stack

REQUIREMENTS = {
    "disk": "the right to mount; containers must run on this machine",
    "slow": "the right to mount, loop devices, mkfs.ext4, and write access to control groups",
    "limit": "a kernel with control groups or prlimit, and write access to them",
    "disconnect": "containers: `--engine compose`",
}
"""What an engine usually needs for a capability, by the first part of its name."""


@cache
def by_kind() -> Mapping[str, type[Fault]]:
    """Return kind -> fault, in alphabetical order. TypeError for a file that does not define exactly one fault."""
    kinds = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return {kind: _defined_in(f"{__name__}.{kind}") for kind in kinds}


def _defined_in(name: str) -> type[Fault]:
    """Return the fault that a module defines."""
    values = vars(importlib.import_module(name)).values()
    classes = [value for value in values if isinstance(value, type) and value.__module__ == name]
    faults = [value for value in classes if issubclass(value, Fault)]
    if len(faults) != 1:
        raise TypeError(f"{name} defines {len(faults)} faults; expected one, with the file's name as its kind")
    return faults[0]


def make(kind: str, params: Mapping[str, object]) -> Fault:
    """Return a fault with its parameters; ValidationError if they do not fit, KeyError for an unknown kind."""
    return by_kind()[kind].of(params)


def lacking(fault: Fault, stack: Stack, capabilities: frozenset[str] | None = None) -> tuple[str, ...]:
    """Return a sentence for each need that the stack or the engine does not meet; empty: the fault can be played.

    `capabilities` is what the engine can do here; None leaves those needs unchecked.
    """
    sentences = [_missing(need, stack, capabilities) for need in fault.needs()]
    return tuple(f"Fault {fault.kind} needs {sentence}" for sentence in sentences if sentence)


def _missing(need: str, stack: Stack, capabilities: frozenset[str] | None) -> str:
    """Return the end of a sentence about a need that is not met, empty if it is met."""
    sort, _, name = need.partition(":")
    if sort == "hook" and stack.hook(name) is None:
        return f"hook {name!r}; stack {stack.name!r} has {', '.join(stack.hooks) or 'none'}."
    if sort == "role" and name not in stack.roles:
        return f"role {name!r}; stack {stack.name!r} has {', '.join(stack.roles)}."
    if sort == "edge" and name not in stack.all_edges:
        return f"edge {name!r}; stack {stack.name!r} has {', '.join(stack.all_edges)}."
    if sort == "capability":
        return _missing_capability(name, stack, capabilities)
    return ""


def _missing_capability(name: str, stack: Stack, capabilities: frozenset[str] | None) -> str:
    part, _, disk = name.partition(":")
    if part == "disk" and disk not in stack.disks:
        return f"disk {disk!r}; stack {stack.name!r} has {', '.join(stack.disks) or 'none'}."
    if capabilities is None or name in capabilities:
        return ""
    requirement = f" (that requires {REQUIREMENTS[part]})" if part in REQUIREMENTS else ""
    return f"{name!r}, which this engine cannot do here{requirement}."
