"""Restarts: which faults of a drill end a role that starts anew, when it does, and what that adds to a bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.evidence import Evidence, FaultRecord, Interval

RESTARTING = ("kill", "terminate", "restart", "crash_loop", "slow_start", "out_of_memory", "cold_start")
"""Kinds of fault after which a role starts anew; `params.role` names it, else it is the one that serves."""

AT_ONCE = ("restart", "cold_start")
"""Those whose injection starts it again, and waits for it; the others' heal does."""

LOOPING = ("crash_loop",)
"""Those after which it does so again and again, until the heal."""


def restarted(kind: str, params: Mapping[str, Any], serving: str) -> str:
    """Return the role that such a fault ends and that starts anew, empty if none does. `serving` is who serves."""
    return str(params.get("role", serving)) if kind in RESTARTING else ""


def restarted_by(evidence: Evidence, fault: FaultRecord) -> str:
    """Return the role that a fault of this run ends and that starts anew, empty if none does."""
    return restarted(fault.kind, fault.params, str(evidence.run.get("payload_role", "")))


def restarts(evidence: Evidence, span: Interval) -> dict[str, float]:
    """Return role -> production seconds for the roles that started anew within `span`, each as often as it did."""
    added: dict[str, float] = {}
    for fault in evidence.faults.values():
        restart, role = _restart(evidence, fault), restarted_by(evidence, fault)
        if restart is not None and restart.start <= span.end and span.start <= restart.end:
            fixed_s = float(evidence.run["fixed_s"].get(role, 0.0))
            added[role] = added.get(role, 0.0) + fixed_s * evidence.speed
    return {role: seconds for role, seconds in added.items() if seconds > 0}


def _restart(evidence: Evidence, fault: FaultRecord) -> Interval | None:
    """Return when the role of a fault started anew: a killed one from its heal on, a restarted one at once."""
    role = restarted_by(evidence, fault)
    start, up = _started(evidence, fault)
    if not role or fault.injected_at is None or start is None:
        return None
    return Interval(start=start, end=max(start, up or start) + float(evidence.run["fixed_s"].get(role, 0.0)))


def _started(evidence: Evidence, fault: FaultRecord) -> tuple[float | None, float | None]:
    """Return when the role's start was asked for, and when it was done; epoch seconds."""
    if fault.kind in AT_ONCE:
        return fault.injected_at, _first(evidence, "injected", fault)
    return _first(evidence, "heal", fault) or fault.healed_at, fault.gone_at or fault.healed_at


def _first(evidence: Evidence, fact: str, fault: FaultRecord) -> float | None:
    return next((one.at for one in evidence.facts(fact) if one.more.get("fault") == fault.name), None)
