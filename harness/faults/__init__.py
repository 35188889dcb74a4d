"""Every fault by name. Adding one: its file, its test, its heading in README.md, and its name in `ALL`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from harness.faults.base import Fault, Params
from harness.faults.cpu_hog import CpuHog
from harness.faults.kill import Kill
from harness.faults.model_raises import ModelRaises
from harness.faults.model_slow import ModelSlow
from harness.faults.net_bandwidth import NetBandwidth
from harness.faults.net_cut import NetCut
from harness.faults.net_latency import NetLatency
from harness.faults.net_partition import NetPartition
from harness.faults.net_refuse import NetRefuse
from harness.faults.net_reset import NetReset
from harness.faults.net_slice import NetSlice
from harness.faults.pause import Pause
from harness.faults.restart import Restart
from harness.faults.silence import Silence
from harness.faults.wrong_answers import WrongAnswers
from harness.stack import Stack

ALL: tuple[type[Fault], ...] = (
    Kill,
    Restart,
    Pause,
    ModelRaises,
    ModelSlow,
    WrongAnswers,
    Silence,
    CpuHog,
    NetLatency,
    NetBandwidth,
    NetSlice,
    NetCut,
    NetReset,
    NetRefuse,
    NetPartition,
)

Blinds = Callable[[Mapping[str, Any], Stack], tuple[tuple[str, str], ...]]


def by_kind() -> dict[str, type[Fault]]:
    """Return kind -> fault."""
    return {fault.kind: fault for fault in ALL}


def catalogue() -> dict[str, type[Params]]:
    """Return kind -> model of its parameters, for `Catalogue.faults`."""
    return {fault.kind: fault.Params for fault in ALL}


def make(kind: str, params: Mapping[str, Any]) -> Fault:
    """Return a fault with its parameters; ValidationError if they do not fit, KeyError for an unknown kind."""
    fault = by_kind()[kind]
    return fault(fault.Params.model_validate(dict(params)))


def blinds() -> dict[str, Blinds]:
    """Return kind -> function (params, stack) -> pairs (signal, role), for `Catalogue.blinds`."""
    return {kind: _blinds(kind) for kind in by_kind()}


def _blinds(kind: str) -> Blinds:
    return lambda params, stack: make(kind, params).blinds(stack)


def needs(kind: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a fault needs: `hook:<name>`, `role:<name>`, `edge:<caller> -> <role>`, `root`."""
    return make(kind, params).needs()


def lacking(kind: str, params: Mapping[str, Any], stack: Stack) -> tuple[str, ...]:
    """Return a sentence for each need that this stack or machine does not meet; empty: the fault can be played."""
    return tuple(sentence for need in needs(kind, params) if (sentence := _lack(kind, need, stack)))


def _lack(kind: str, need: str, stack: Stack) -> str:
    what, _, name = need.partition(":")
    if what == "hook" and name not in stack.hooks:
        return f"Fault {kind} needs hook {name!r}; stack {stack.name!r} has {', '.join(stack.hooks) or 'none'}."
    if what == "role" and name not in stack.roles:
        return f"Fault {kind} needs role {name!r}; stack {stack.name!r} has {', '.join(stack.roles)}."
    if what == "edge" and name not in stack.all_edges:
        return f"Fault {kind} needs edge {name!r}; stack {stack.name!r} has {', '.join(stack.all_edges)}."
    if what == "root" and os.geteuid() != 0:
        return f"Fault {kind} needs root; this is uid {os.geteuid()}."
    return ""
