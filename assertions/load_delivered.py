"""load/delivered: was the load sent that the scenario asks for?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field

from tocsin.harness.core.statistics import distance, distance_allowed, poisson_surprise, quantile
from tocsin.harness.declarations.references import Args
from tocsin.harness.evidence.check_bounds import cut_off, scope_interval
from tocsin.harness.evidence.delivered_load import Load, PhaseLoad, cpu_share, phase_loads, reached_limits
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.requests import DROPPED
from tocsin.harness.evidence.stream_coverage import blind_intervals
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

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


class Delivered(Args):
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


def judge(evidence: Evidence, args: Delivered) -> Finding:
    """Look for lost workers, then compare what was asked, due and sent: in all, per phase, per second, gap by gap."""
    window = scope_interval(evidence, args)
    lost = list(_lost(evidence, window))
    if lost:
        return failed(f"The load was not sent whole: {'; '.join(lost)}.")
    if not len(Load.of(evidence)):
        return unknown("No request of the traffic is recorded.")
    cut = cut_off(evidence)
    gaps = blind_intervals(evidence, "requests", _until(window, math.inf if cut is None else cut[0]))
    if gaps:
        return unknown(f"The records of the requests are not whole: {gaps[0][1].rstrip('.')}.")
    never = [] if cut or args.during else _never_played(evidence, args)
    found = list(phase_loads(evidence, window, math.inf if cut is None else cut[0]))
    if never or not found:
        return unknown(f"Never played: {', '.join(never) or args.phase or 'any phase'}.")
    return _judged(evidence, found, args.tolerance)


def _until(window: Interval, end: float) -> Interval:
    """Return the part of a window that was played: what follows the end of play was never asked for."""
    return Interval(start=window.start, end=max(min(window.end, end), window.start))


def _judged(evidence: Evidence, found: Sequence[PhaseLoad], tolerance: float) -> Finding:
    begun = np.concatenate([piece.load.begun for piece in found])
    opened = [piece for piece in found if piece.asked.gaps != "closed"]
    parts = {piece.name: _part(piece, begun, tolerance) for piece in opened}
    whole = _whole(parts.values(), tolerance)
    dropped = sum(int(np.count_nonzero(piece.load.outcome == DROPPED)) for piece in found)
    lateness, late_ms = _lateness(np.concatenate([piece.load.late_s for piece in found]))
    closed = [_closed(piece, tolerance) for piece in found if piece.asked.gaps == "closed"]
    off = {name: part for name, part in {**parts, "all phases": whole}.items() if part.off}
    problems = [f"{name}: {_told(part)}" for name, part in off.items()]
    problems += list(_seconds(opened, begun, tolerance)) if not off else []
    problems += [problem for piece in opened if (problem := _spacing(piece))]
    problems += [problem for _, problem in closed if problem]
    if late_ms and late_ms["p99"] > 1000 * LATE_S:
        problems.append(f"it came late: p99 of the schedule error over {1000 * LATE_S:.0f} ms")
    reached = list(reached_limits(evidence, dropped))
    story = f"{dropped} never sent, {lateness}"
    shares = [share for fact in evidence.facts("traffic_done") if (share := cpu_share(fact.more)) is not None]
    figures: dict[str, Any] = {
        "asked": whole.asked, "sent": len(begun), "dropped": dropped, "late_ms": late_ms,
        "late_ms_p99": late_ms and late_ms["p99"], "cpu_share": [round(share, 3) for share in shares],
        "phases": {name: asdict(part) for name, part in parts.items()}, "limits": [what for what, _ in reached],
        "gap_distance": {piece.name: _distances(piece) for piece in opened if piece.asked.gaps == "poisson"},
    }  # fmt: skip
    if problems:
        return failed(f"The load was off: {'; '.join(problems)} ({story}). {_advice(reached)}", **figures)
    told = [f"Asked {whole.asked:.0f}, sent {whole.sent} requests"] if opened else []
    told += [words for words, _ in closed]
    limit = f". {_advice(reached)}" if dropped else "."
    return passed(f"{'; '.join(told)} ({story}){limit}", **figures)


def _lost(evidence: Evidence, window: Interval) -> Iterator[str]:
    """Yield the workers that were not heard of in the window: what they should have sent was not."""
    back: dict[Any, list[float]] = {}
    for fact in evidence.facts("worker_back"):
        back.setdefault(fact.more.get("worker"), []).append(float(fact.more.get("at", fact.at)))
    for fact in evidence.facts("worker_lost"):
        worker, since = fact.more.get("worker"), float(fact.more.get("since", fact.at))
        until = min((at for at in back.get(worker, []) if at >= since), default=math.inf)
        if since < window.end and until > window.start:
            share, reason = 100 * float(fact.more.get("share", 0)), str(fact.more.get("reason", "")).rstrip(".")
            after_s = since - (evidence.play.start if evidence.play else since)
            yield f"worker {worker}, which sends {share:.0f} % of it, was lost {after_s:.1f} wall s into play: {reason}"


def _never_played(evidence: Evidence, args: Delivered) -> list[str]:
    names = [str(one["name"]) for one in evidence.run["phases"] if args.phase in (None, one["name"])]
    return [name for name in names if name not in evidence.phases]


def _part(piece: PhaseLoad, begun: np.ndarray, tolerance: float) -> Part:
    """Return what was asked and sent in one phase, over the wall seconds it was really played."""
    asked, span = piece.total, piece.window
    sent = int(np.count_nonzero((begun >= span.start) & (begun < span.end)))
    noise = NOISE_SIGMAS * math.sqrt(asked) if piece.asked.gaps == "poisson" else FEWEST_OFF
    return Part(asked=asked, sent=sent, seconds=span.seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _whole(parts: Iterable[Part], tolerance: float) -> Part:
    """Return the sum of all phases; their noise is independent and adds in squares."""
    parts = list(parts)
    asked, noise = sum(one.asked for one in parts), math.hypot(*(one.noise for one in parts))
    sent, seconds = sum(one.sent for one in parts), sum(one.seconds for one in parts)
    return Part(asked=asked, sent=sent, seconds=seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _seconds(found: Sequence[PhaseLoad], begun: np.ndarray, tolerance: float) -> Iterator[str]:
    """Yield the phases with seconds in which more or less was sent than chance and the tolerance allow.

    The chance is shared by all seconds of all phases, and by stretches of 2, 4, 8 ... of them: at a low rate a single
    second says little.
    """
    seconds = {piece.name: piece.seconds() for piece in found if piece.declared}
    limit = math.log(4 * max(sum(len(asked) for _, asked in seconds.values()), 1) / CHANCE)
    for piece in found:
        if piece.name not in seconds:
            continue
        bounds, asked = seconds[piece.name]
        sent = np.histogram(begun, bounds)[0]
        for length in 2 ** np.arange(int(np.log2(len(asked))) + 1):
            first = np.arange(0, len(asked), length)
            one, other = np.add.reduceat(asked, first), np.add.reduceat(sent, first)
            off = np.abs(other - one) > np.maximum(tolerance * one, FEWEST_OFF)
            if piece.asked.gaps == "poisson":
                off &= poisson_surprise(other, one) > limit
            if off.any():
                worst = int(np.argmax(np.where(off, np.abs(other - one), -1.0)))
                what = "seconds" if length == 1 else f"stretches of {length} s"
                which = f"second {bounds[first[worst]] - piece.start:.0f} asked {one[worst]:.0f}, sent {other[worst]}"
                yield f"{piece.name}: {np.count_nonzero(off)} of {len(one)} {what} were off, {which}"
                break


def _spacing(piece: PhaseLoad) -> str:
    """Return how the requests that were due were spaced otherwise than asked; empty if they were not."""
    gaps = piece.gaps(piece.load.intended)
    if not piece.declared or len(gaps) < FEWEST_GAPS or piece.asked.gaps not in ("poisson", "constant"):
        return ""
    if piece.asked.gaps == "poisson":
        far = distance(-np.expm1(-gaps))
        allowed = distance_allowed(len(gaps), CHANCE) + TICK_S * piece.asked.peak_per_s
        law = "exponential ones"
    else:
        even = EVEN_BY + 2 * TICK_S * piece.asked.peak_per_s
        far, allowed = float(np.mean(np.abs(gaps - 1) > even)), FEWEST_OFF / len(gaps)
        law = "even ones"
    if far <= allowed:
        return ""
    return f"{piece.name}: its {len(gaps)} gaps are {far:.3f} away from {law}, {allowed:.3f} allowed"


def _distances(piece: PhaseLoad) -> dict[str, float]:
    """Return how far the gaps between requests due, and between requests sent, are from exponential ones."""
    sent = piece.load.sent[~np.isnan(piece.load.sent)]
    found = {"due": piece.gaps(piece.load.intended), "sent": piece.gaps(sent)}
    return {name: round(distance(-np.expm1(-gaps)), 4) for name, gaps in found.items() if len(gaps)}


def _closed(piece: PhaseLoad, tolerance: float) -> tuple[str, str]:
    """Return what a closed loop did, in words, and what was wrong with it, if anything. It has no asked rate."""
    users, sent, seconds = piece.asked.users, len(piece.load), max(piece.window.seconds, 1e-9)
    share = piece.busy_share()
    told = f"{piece.name}: {users} users in a closed loop sent {sent} requests ({sent / seconds:.1f}/s, no rate asked)"
    words = f"{told}, busy or thinking {100 * share:.1f} % of their time"
    return words, words if abs(share - 1) > max(tolerance, FEWEST_OFF / max(sent, 1)) else ""


def _lateness(late_s: np.ndarray) -> tuple[str, dict[str, float] | None]:
    """Return the quantiles of sent - intended, in words and in milliseconds."""
    if not len(late_s):
        return "no schedule error known", None
    p50, p99, most = (1000 * quantile(late_s, share) for share in (0.5, 0.99, 1.0))
    told = f"schedule error p50 {p50:.1f}, p99 {p99:.1f}, most {most:.1f} ms"
    return told, {"p50": round(p50, 3), "p99": round(p99, 3), "max": round(most, 3)}


def _told(part: Part) -> str:
    seconds = max(part.seconds, 1e-9)
    rates = f"asked {part.asked / seconds:.1f}/s, sent {part.sent / seconds:.1f}/s"
    return f"{rates} ({part.sent} of {part.asked:.0f}, {part.allowed:.0f} may be off)"


def _advice(reached: Sequence[tuple[str, str]]) -> str:
    """Return which limits were reached and what to do, as sentences."""
    if not reached:
        return "No limit of the generator is known to have been reached; use more workers or a lower rate."
    return " ".join(f"{what[:1].upper()}{what[1:]}: {remedy}." for what, remedy in reached)


CHECK = Check(
    summary="The traffic sent what its arrivals ask for, in each phase and second, in time and spaced as asked.",
    args=Delivered,
    judge=judge,
    streams=(),  # blind records are looked at by the check itself: a lost worker is a failure, not a question
    needs_load=False,
    files=("requests/",),
)
