"""Restarts: which faults of a drill end a role that starts anew, when it does, and what that adds to a bound."""

from __future__ import annotations

from tocsin.harness.declarations.restarting_faults import AT_ONCE, restarted
from tocsin.harness.evidence.evidence import Evidence, FaultRecord
from tocsin.harness.evidence.interval import Interval


def restarted_role(evidence: Evidence, fault: FaultRecord) -> str:
    """Return the role that a fault of this run ends and that starts anew, empty if none does."""
    return restarted(fault.kind, fault.params, str(evidence.run.get("payload_role", "")))


def restart_allowance(evidence: Evidence, span: Interval) -> dict[str, float]:
    """Return role -> production seconds for the roles that started anew within `span`, each as often as it did."""
    added: dict[str, float] = {}
    for fault in evidence.faults.values():
        restart, role = _restart(evidence, fault), restarted_role(evidence, fault)
        if restart is not None and restart.start <= span.end and span.start <= restart.end:
            fixed_s = float(evidence.run["fixed_s"].get(role, 0.0))
            added[role] = added.get(role, 0.0) + fixed_s * evidence.speed
    return {role: seconds for role, seconds in added.items() if seconds > 0}


def _restart(evidence: Evidence, fault: FaultRecord) -> Interval | None:
    """Return when the role of a fault started anew: a killed one from its heal on, a restarted one at once."""
    role = restarted_role(evidence, fault)
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
