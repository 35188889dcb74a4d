"""Bounds: from when `within` counts, what the drill's own restarts add to it, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.declarations.restarting_faults import RESTARTS
from tocsin.harness.evidence.evidence import Evidence, PlayedFault
from tocsin.harness.evidence.interval import Interval

_CUT_OFF = {"running": "the run was cut off"}
"""Outcomes of run.json that are reported in other words."""


class ScopeArgs(Protocol):
    """Arguments that say where a check looks: a phase, a fault, or neither (the whole of play)."""

    @property
    def phase(self) -> str | None: ...  # noqa: D102
    @property
    def during(self) -> str | None: ...  # noqa: D102


class BoundArgs(ScopeArgs, Protocol):
    """Arguments of a bounded check: where it looks, and the bound in production seconds."""

    @property
    def within(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound in the terms of one run.

    `begun` is where nothing may have been active yet, `since` where the bound counts from (both epoch seconds),
    `event` what happened then, in words. `fixed_s` is, per role, the production seconds its restart adds.
    """

    begun: float
    since: float
    event: str
    within_s: float
    speed: float
    fixed_s: Mapping[str, float] = field(default_factory=dict)
    slack_s: float = 0.0
    """Wall seconds by which the clocks of this run disagree."""

    @property
    def total_s(self) -> float:
        """Production seconds allowed, restarts included."""
        return self.within_s + sum(self.fixed_s.values())

    @property
    def deadline(self) -> float:
        """Epoch seconds at which the bound is over."""
        return self.since + self.total_s / self.speed + self.slack_s

    def when(self, at: float) -> str:
        """Return when something was (epoch seconds), against `event`: `19.5 s after outage took effect`."""
        after_s = self.after_s(at)
        direction = "before" if after_s < 0 else "after"
        return f"{rounded(abs(after_s))} s {direction} {self.event}"

    def after_s(self, at: float) -> float:
        """Return how many production seconds after `since` a moment (epoch seconds) lies."""
        return (at - self.since) * self.speed

    def __str__(self) -> str:
        fixed = "".join(f" + {rounded(seconds)} s for the restart of {role}" for role, seconds in self.fixed_s.items())
        clocks_s = self.slack_s * self.speed
        text = f"bound {rounded(self.within_s)} s{fixed}"
        if clocks_s >= 1:
            text += f" + {rounded(clocks_s)} s by which clocks disagree"
        return text


def onset_bound(evidence: Evidence, args: BoundArgs) -> Bound:
    """Return the bound of something that must begin: from the fault's first `present`, else from the phase's start.

    EvidenceError if the fault was not injected or not seen to take effect, or the phase was not played.
    """
    if args.during is None:
        start = phase_interval(evidence, args.phase).start
        return _bound(evidence, args.within, begun=start, since=start, event=f"{args.phase or 'play'} began")
    fault = injected_fault(evidence, args.during)
    if fault.injected_at is None or fault.effective_at is None:
        raise EvidenceError(f"the fault {fault.name} was never seen to take effect (last seen: {_state(fault)})")
    event = f"{fault.name} took effect"
    return _bound(evidence, args.within, begun=fault.injected_at, since=fault.effective_at, event=event)


def relief_bound(evidence: Evidence, args: BoundArgs) -> Bound:
    """Return the bound of something that must end: from the fault's `absent` after its heal, else the phase's start.

    `begun` is then the fault's injection, or the start of play. EvidenceError as for `onset_bound`.
    """
    if args.during is None:
        start = phase_interval(evidence, args.phase).start
        begun = phase_interval(evidence, None).start
        return _bound(evidence, args.within, begun=begun, since=start, event=f"{args.phase or 'play'} began")
    fault = injected_fault(evidence, args.during)
    if fault.injected_at is None or fault.gone_at is None:
        raise EvidenceError(f"the fault {fault.name} was never seen to be gone (last seen: {_state(fault)})")
    return _bound(evidence, args.within, begun=fault.injected_at, since=fault.gone_at, event=f"{fault.name} was gone")


def scope_interval(evidence: Evidence, args: ScopeArgs) -> Interval:
    """Return where the arguments point: a fault from injection until it was gone, a phase, or the whole of play."""
    if args.during is None:
        return phase_interval(evidence, args.phase)
    return fault_interval(evidence, injected_fault(evidence, args.during)) or phase_interval(evidence, None)


def phase_interval(evidence: Evidence, phase: str | None) -> Interval:
    """Return when a phase was played, or the whole of play; EvidenceError if it never was."""
    if phase is None:
        if evidence.play is None:
            raise EvidenceError("play never began")
        return evidence.play
    if phase not in evidence.phases:
        raise EvidenceError(f"the phase {phase} was never played")
    return evidence.phases[phase]


def injected_fault(evidence: Evidence, name: str) -> PlayedFault:
    """Return the record of a fault that was injected; EvidenceError if it was not."""
    fault = evidence.faults.get(name)
    if fault is None or fault.injected_at is None:
        raise EvidenceError(f"the fault {name} was never injected")
    return fault


def fault_interval(evidence: Evidence, fault: PlayedFault) -> Interval | None:
    """Return from when a fault was injected until it was seen to be gone (else healed, else the end of play)."""
    if fault.injected_at is None or evidence.play is None:
        return None
    return Interval(start=fault.injected_at, end=fault.over_at or max(evidence.play.end, fault.injected_at))


def cut_off(evidence: Evidence) -> tuple[float, str] | None:
    """Return when play was cut short (epoch seconds) and by what; None if it was played to its end.

    A server that died unasked counts, also when it died after play. So does the end of a run that never said it ended.
    """
    if evidence.play is None:
        return None
    ends = [(fact.at, f"{fact.more.get('role')} died unasked") for fact in evidence.facts("role_died")]
    outcome = str(evidence.run.get("outcome") or "running")
    if outcome != "completed":
        why = _CUT_OFF.get(outcome, outcome.partition("\n")[0].rstrip(".:"))
        stops = [*evidence.facts("interrupted"), *evidence.facts("error")]
        ends += [(fact.at, why) for fact in stops if fact.at >= evidence.play.start]
        if not evidence.facts("play_ended"):
            ends.append((evidence.play.end, why))
    return min(ends, default=None)


def clock_slack_s(evidence: Evidence) -> float:
    """Return by how many wall seconds the processes of a run disagree about the time.

    That is what their `clock` facts show on one machine, plus by how much the clocks of remote workers, which were set
    to the master's, may still be off (`worker_clock`).
    """
    offsets = [float(fact.more["wall"]) - fact.monotonic for fact in evidence.facts("clock") if "wall" in fact.more]
    remote = [float(fact.more["uncertainty_s"]) for fact in evidence.facts("worker_clock")]
    return max(offsets, default=0.0) - min(offsets, default=0.0) + max(remote, default=0.0)


def missed_evaluation_s(evidence: Evidence, alert: str | None = None) -> float:
    """Return the wall seconds without an evaluation (of this alert) after which one was missed: 1.6 intervals."""
    return 1.6 * evidence.evaluation_s(alert)


def rounded(number: float) -> str:
    """Return a number with at most one decimal: `20.4`, `182`."""
    return f"{number:.1f}".removesuffix(".0")


def format_alert(alert: str, labels: Mapping[str, str]) -> str:
    """Return an alert as Prometheus writes it: `HighErrorRate{severity="page"}`."""
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{alert}{{{inner}}}" if inner else alert


def _bound(evidence: Evidence, within_s: float, *, begun: float, since: float, event: str) -> Bound:
    span = Interval(start=since, end=since + within_s / evidence.speed)
    return Bound(
        begun=begun,
        since=since,
        event=event,
        within_s=within_s,
        speed=evidence.speed,
        fixed_s=_restart_allowance(evidence, span),
        slack_s=clock_slack_s(evidence),
    )


def _restart_allowance(evidence: Evidence, span: Interval) -> dict[str, float]:
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


def _state(fault: PlayedFault) -> str:
    return fault.last_state.replace("_", " ") or "nothing"
