"""Role restarts: when the roles that faults ended started anew, and what that adds to a bound."""

from __future__ import annotations

from tocsin.harness.declarations.restarting_faults import RESTARTS
from tocsin.harness.evidence.evidence import Evidence, PlayedFault
from tocsin.harness.evidence.interval import Interval


def restart_allowance(evidence: Evidence, span: Interval) -> dict[str, float]:
    """Return role -> production seconds for the roles that started anew within `span`, each as often as it did."""
    added: dict[str, float] = {}
    for fault in evidence.faults.values():
        restart = _restart(evidence, fault)
        if restart is not None and restart.touches(span):
            role = fault.restarted_role
            added[role] = added.get(role, 0.0) + evidence.start_s(role) * evidence.speed
    return {role: seconds for role, seconds in added.items() if seconds > 0}


def _restart(evidence: Evidence, fault: PlayedFault) -> Interval | None:
    """Return when the role of a fault started anew: a killed one from its heal on, a restarted one at once."""
    start, up = fault.heal_began_at or fault.healed_at, fault.over_at
    if RESTARTS.get(fault.kind) == "at_once":
        start, up = fault.injected_at, fault.inject_done_at
    if not fault.restarted_role or fault.injected_at is None or start is None:
        return None
    return Interval(start=start, end=max(start, up or start) + evidence.start_s(fault.restarted_role))
