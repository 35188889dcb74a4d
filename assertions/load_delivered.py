"""load/delivered: was the load sent that the scenario asks for?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import Field

from tocsin.harness.core.statistics import distance, distance_allowed, poisson_surprise, quantile
from tocsin.harness.declarations.check_arguments import Args
from tocsin.harness.evidence.check_bounds import cut_off, phase_interval, scope_interval
from tocsin.harness.evidence.delivered_load import Load, PhaseLoad, cpu_shares, phase_loads, reached_limits
from tocsin.harness.evidence.requests import DROPPED
from tocsin.harness.evidence.stream_coverage import blind_intervals
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown

NOISE_SIGMAS = 4.0
"""Poisson arrivals may miss what was asked by so many standard deviations."""

FEWEST_OFF = 2.0
"""Even evenly spaced arrivals may fall on either side of a phase's two edges."""

CHANCE = 1e-6
"""The chance of a false alarm that all seconds of a run have together, and that all its gaps have."""

EVEN_BY = 0.01
"""By what share of a gap evenly spaced arrivals may be off."""

TICK_S = 2.5e-7
"""Epoch seconds are kept in ticks of so many seconds, by which a gap may be off too."""

FEWEST_GAPS = 30
"""Fewer gaps say nothing about how arrivals are spaced."""

LATE_S = 1.0
"""Wall seconds by which one request in a hundred may be later than it was due: healthy are milliseconds."""


class LoadDelivered(Args):
    """How far the sent count may be from the asked one, as a share (0.05 is 5 %)."""

    tolerance: float = Field(default=0.05, ge=0, lt=1)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Requests asked and sent in some wall seconds, what arrivals scatter by themselves, and how far off is allowed."""

    asked: float
    sent: int
    seconds: float
    noise: float
    allowed: float

    @property
    def off(self) -> bool:
        """Whether more is missing, or too much, than is allowed."""
        return abs(self.sent - self.asked) > self.allowed


def judge(evidence: Evidence, args: LoadDelivered) -> Finding:
    """Look for lost workers, then compare what was asked, due and sent: in all, per phase, per second, gap by gap."""
    window, cut, until = scope_interval(evidence, args), cut_off(evidence), math.inf
    if cut is not None:
        until = cut[0]
    lost = list(_lost(evidence, window))
    if lost:
        return failed(f"The load was not sent whole: {'; '.join(lost)}.")
    if not len(Load.of(evidence)):
        return unknown("No request of the traffic is recorded.")
    # what follows the end of play was never asked for
    played = Interval(start=window.start, end=max(min(window.end, until), window.start))
    gaps = blind_intervals(evidence, "requests", played)
    if gaps:
        return unknown(f"The records of the requests are not whole: {gaps[0][1].rstrip('.')}.")
    never = _never_played(evidence, args) if cut is None and not args.during else []
    phases = list(phase_loads(evidence, window, until))
    if never or not phases:
        return unknown(f"Never played: {', '.join(never) or args.phase or 'any phase'}.")
    return _compare(evidence, phases, args.tolerance)


def _compare(evidence: Evidence, phases: Sequence[PhaseLoad], tolerance: float) -> Finding:
    begun = np.concatenate([phase.load.begun for phase in phases])
    open_loops = [phase for phase in phases if phase.offered.gaps != "closed"]
    closed_loops = [phase for phase in phases if phase.offered.gaps == "closed"]
    parts = {phase.name: _part(phase, begun, tolerance) for phase in open_loops}
    total = _total(list(parts.values()), tolerance)
    lateness_ms = _lateness_ms(np.concatenate([phase.load.late_s for phase in phases]))
    late_ms = {name: round(value, 3) for name, value in lateness_ms.items()}
    dropped = sum(int(np.count_nonzero(phase.load.outcome == DROPPED)) for phase in phases)
    reached = list(reached_limits(evidence, dropped))
    problems = [f"{name}: {_rates(part)}" for name, part in {**parts, "all phases": total}.items() if part.off]
    if not problems:
        problems += _seconds(open_loops, begun, tolerance)
    problems += filter(None, map(_spacing, open_loops))
    problems += [_closed_loop(phase) for phase in closed_loops if _idle(phase, tolerance)]
    if late_ms.get("p99", 0.0) > 1000 * LATE_S:
        problems.append(f"it came late: p99 of the schedule error over {1000 * LATE_S:.0f} ms")
    shares = cpu_shares(evidence)
    figures: dict[str, object] = {
        "asked": total.asked, "sent": len(begun), "dropped": dropped, "late_ms": late_ms or None,
        "late_ms_p99": late_ms.get("p99"), "cpu_share": [round(share, 3) for share in shares],
        "phases": {name: asdict(part) for name, part in parts.items()}, "limits": [limit for limit, _ in reached],
        "gap_distance": {phase.name: _distances(phase) for phase in open_loops if phase.offered.gaps == "poisson"},
    }  # fmt: skip
    lateness = f"({dropped} never sent, {_lateness(lateness_ms)})"
    if problems:
        return failed(f"The load was off: {'; '.join(problems)} {lateness}. {_advice(reached)}", **figures)
    story = [_closed_loop(phase) for phase in closed_loops]
    if open_loops:
        story.insert(0, f"Asked {total.asked:.0f}, sent {total.sent} requests")
    advice = f" {_advice(reached)}" if dropped else ""
    return passed(f"{'; '.join(story)} {lateness}.{advice}", **figures)


def _lost(evidence: Evidence, window: Interval) -> Iterator[str]:
    """Yield the workers that were not heard of in the window: what they should have sent was not."""
    back: dict[object, list[float]] = {}
    for fact in evidence.facts("worker_back"):
        back.setdefault(fact.more.get("worker"), []).append(float(fact.more.get("at", fact.at)))
    for fact in evidence.facts("worker_lost"):
        worker, since = fact.more.get("worker"), float(fact.more.get("since", fact.at))
        until = min((at for at in back.get(worker, []) if at >= since), default=math.inf)
        if since < window.end and until > window.start:
            share, reason = 100 * float(fact.more.get("share", 0)), str(fact.more.get("reason", "")).rstrip(".")
            after_s = since - phase_interval(evidence, None).start
            yield f"worker {worker}, which sends {share:.0f} % of it, was lost {after_s:.1f} wall s into play: {reason}"


def _never_played(evidence: Evidence, args: LoadDelivered) -> list[str]:
    names = [str(phase["name"]) for phase in evidence.run["phases"] if args.phase in (None, phase["name"])]
    return [name for name in names if name not in evidence.phases]


def _part(phase: PhaseLoad, begun: np.ndarray, tolerance: float) -> Part:
    """Return what was asked and sent in one phase, over the wall seconds it was really played."""
    asked, span, noise = phase.total, phase.window, FEWEST_OFF
    if phase.offered.gaps == "poisson":
        noise = NOISE_SIGMAS * math.sqrt(asked)
    sent = int(np.count_nonzero((begun >= span.start) & (begun < span.end)))
    return Part(asked=asked, sent=sent, seconds=span.seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _total(parts: Sequence[Part], tolerance: float) -> Part:
    """Return the sum of all phases; their noise is independent and adds in squares."""
    asked, noise = sum(part.asked for part in parts), math.hypot(*(part.noise for part in parts))
    sent, seconds = sum(part.sent for part in parts), sum(part.seconds for part in parts)
    return Part(asked=asked, sent=sent, seconds=seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _seconds(phases: Sequence[PhaseLoad], begun: np.ndarray, tolerance: float) -> Iterator[str]:
    """Yield the phases with seconds in which more or less was sent than chance and the tolerance allow.

    The chance is shared by all seconds of all phases, and by stretches of 2, 4, 8 ... of them: at a low rate a single
    second says little.
    """
    declared = [phase for phase in phases if phase.declared]
    seconds = sum(len(phase.seconds()[1]) for phase in declared)
    limit = math.log(4 * max(seconds, 1) / CHANCE)
    for phase in declared:
        bounds, asked = phase.seconds()
        sent = np.histogram(begun, bounds)[0]
        for length in (2 ** np.arange(int(np.log2(len(asked))) + 1)).tolist():
            first = np.arange(0, len(asked), length)
            due, made = np.add.reduceat(asked, first), np.add.reduceat(sent, first)
            off = np.abs(made - due) > np.maximum(tolerance * due, FEWEST_OFF)
            if phase.offered.gaps == "poisson":
                off &= poisson_surprise(made, due) > limit
            if off.any():
                worst = int(np.argmax(np.where(off, np.abs(made - due), -1.0)))
                stretches = {1: "seconds"}.get(length, f"stretches of {length} s")
                which = f"second {bounds[first[worst]] - phase.start:.0f} asked {due[worst]:.0f}, sent {made[worst]}"
                yield f"{phase.name}: {np.count_nonzero(off)} of {len(due)} {stretches} were off, {which}"
                break


def _spacing(phase: PhaseLoad) -> str:
    """Return how the requests that were due were spaced otherwise than asked; empty if they were not."""
    gaps, tick = phase.gaps(phase.load.intended), TICK_S * phase.offered.peak_per_s
    if not phase.declared or len(gaps) < FEWEST_GAPS or phase.offered.gaps not in ("poisson", "constant"):
        return ""
    if phase.offered.gaps == "poisson":
        law, far = "exponential ones", distance(-np.expm1(-gaps))
        allowed = distance_allowed(len(gaps), CHANCE) + tick
    else:
        law, far = "even ones", float(np.mean(np.abs(gaps - 1) > EVEN_BY + 2 * tick))
        allowed = FEWEST_OFF / len(gaps)
    if far <= allowed:
        return ""
    return f"{phase.name}: its {len(gaps)} gaps are {far:.3f} away from {law}, {allowed:.3f} allowed"


def _distances(phase: PhaseLoad) -> dict[str, float]:
    """Return how far the gaps between requests due, and between requests sent, are from exponential ones."""
    sent = phase.load.sent[~np.isnan(phase.load.sent)]
    gaps = {"due": phase.gaps(phase.load.intended), "sent": phase.gaps(sent)}
    return {name: round(distance(-np.expm1(-some)), 4) for name, some in gaps.items() if len(some)}


def _closed_loop(phase: PhaseLoad) -> str:
    """Return what a closed loop did. It has no asked rate."""
    users, sent, per_s = phase.offered.users, len(phase.load), len(phase.load) / max(phase.window.seconds, 1e-9)
    story = f"{phase.name}: {users} users in a closed loop sent {sent} requests ({per_s:.1f}/s, no rate asked)"
    return f"{story}, busy or thinking {100 * phase.busy_share():.1f} % of their time"


def _idle(phase: PhaseLoad, tolerance: float) -> bool:
    """Tell whether users of a closed loop were missing for longer than may be."""
    return abs(phase.busy_share() - 1) > max(tolerance, FEWEST_OFF / max(len(phase.load), 1))


def _lateness_ms(late_s: np.ndarray) -> dict[str, float]:
    """Return the quantiles of sent - intended in milliseconds; none if nothing was sent."""
    if not len(late_s):
        return {}
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: 1000 * quantile(late_s, share) for name, share in shares.items()}


def _lateness(late_ms: Mapping[str, float]) -> str:
    if not late_ms:
        return "no schedule error known"
    return f"schedule error p50 {late_ms['p50']:.1f}, p99 {late_ms['p99']:.1f}, most {late_ms['max']:.1f} ms"


def _rates(part: Part) -> str:
    seconds = max(part.seconds, 1e-9)
    rates = f"asked {part.asked / seconds:.1f}/s, sent {part.sent / seconds:.1f}/s"
    return f"{rates} ({part.sent} of {part.asked:.0f}, {part.allowed:.0f} may be off)"


def _advice(reached: Sequence[tuple[str, str]]) -> str:
    """Return which limits were reached and what to do, as sentences."""
    if not reached:
        return "No limit of the generator is known to have been reached; use more workers or a lower rate."
    return " ".join(f"{limit[:1].upper()}{limit[1:]}: {remedy}." for limit, remedy in reached)


CHECK = Check(
    summary="The traffic sent what its arrivals ask for, in each phase and second, in time and spaced as asked.",
    args=LoadDelivered,
    judge=judge,
    streams=(),  # blind records are looked at by the check itself: a lost worker is a failure, not a question
    needs_load=False,
    files=("requests/",),
)
