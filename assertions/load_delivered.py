"""load/delivered: was the load sent that the scenario asks for?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field

from harness.check import Args, Check, Finding, failed, passed, unknown
from harness.evidence import Evidence, Interval
from harness.evidence.bounds import cut_off
from harness.evidence.requests import OUTCOMES
from harness.statistics import quantile

NOISE_SIGMAS = 4.0
"""Poisson arrivals may miss what was asked by so many standard deviations."""

FEWEST_OFF = 2.0
"""Even evenly spaced arrivals may fall on either side of a phase's two edges."""


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
    """Count the requests begun in each phase against its rate; canaries are not load."""
    rows = evidence.requests[evidence.requests["worker"] > 0]
    if not len(rows):
        return unknown("No request of the traffic is recorded.")
    plans = [one for one in evidence.run["phases"] if args.phase in (None, one["name"])]
    cut = cut_off(evidence)
    played = [one for one in plans if one["name"] in evidence.phases]
    if not played or (len(played) < len(plans) and cut is None):
        return unknown(f"Never played: {', '.join(one['name'] for one in plans if one not in played) or args.phase}.")
    dropped = rows["outcome"] == OUTCOMES.index("dropped")
    begun = np.where(np.isnan(rows["sent"]), rows["intended"], rows["sent"])[~dropped]
    parts = {
        one["name"]: _part(one, _until(evidence.phases[one["name"]], cut), begun, args.tolerance) for one in played
    }
    whole = _whole(parts.values(), args.tolerance)
    lateness, late_ms = _lateness(rows)
    story = f"{np.count_nonzero(dropped)} never sent, {lateness}"
    figures = {
        "asked": whole.asked, "sent": whole.sent, "dropped": int(np.count_nonzero(dropped)), "late_ms_p99": late_ms,
        "phases": {name: asdict(part) for name, part in parts.items()},
    }  # fmt: skip
    off = {name: part for name, part in {**parts, "all phases": whole}.items() if part.off}
    if off:
        told = "; ".join(f"{name}: {_told(part)}" for name, part in off.items())
        return failed(f"The load was off: {told} ({story}).", **figures)
    if late_ms is not None and late_ms > 1000 * LATE_S:
        return failed(f"The load came late: {story}, {1000 * LATE_S:.0f} ms allowed.", **figures)
    return passed(f"Asked {whole.asked:.0f}, sent {whole.sent} requests ({story}).", **figures)


def _until(place: Interval, cut: tuple[float, str] | None) -> Interval:
    """Return the part of a phase before the run was cut short; nothing was asked after it."""
    end = place.end if cut is None else min(place.end, cut[0])
    return Interval(start=place.start, end=max(place.start, end))


def _part(plan: Mapping[str, Any], place: Interval, begun: np.ndarray, tolerance: float) -> Part:
    """Return what was asked and sent in one phase, over the wall seconds it was really played."""
    traffic = plan["traffic"]
    asked = float(traffic["rate_per_s"]) * place.seconds
    sent = int(np.count_nonzero((begun >= place.start) & (begun < place.end)))
    noise = NOISE_SIGMAS * math.sqrt(asked) if traffic.get("arrivals", "poisson") == "poisson" else FEWEST_OFF
    return Part(asked=asked, sent=sent, seconds=place.seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _whole(parts: Iterable[Part], tolerance: float) -> Part:
    """Return the sum of all phases; their noise is independent and adds in squares."""
    parts = list(parts)
    asked, noise = sum(one.asked for one in parts), math.hypot(*(one.noise for one in parts))
    sent, seconds = sum(one.sent for one in parts), sum(one.seconds for one in parts)
    return Part(asked=asked, sent=sent, seconds=seconds, noise=noise, allowed=max(tolerance * asked, noise))


def _lateness(rows: np.ndarray) -> tuple[str, float | None]:
    """Return the p99 of sent - intended, in words and in milliseconds."""
    late_s = (rows["sent"] - rows["intended"])[~np.isnan(rows["sent"])]
    if not len(late_s):
        return "no schedule error known", None
    late_ms = 1000 * quantile(late_s.tolist(), 0.99)
    return f"p99 of the schedule error {late_ms:.1f} ms", round(late_ms, 3)


def _told(part: Part) -> str:
    seconds = max(part.seconds, 1e-9)
    rates = f"asked {part.asked / seconds:.1f}/s, sent {part.sent / seconds:.1f}/s"
    return f"{rates} ({part.sent} of {part.asked:.0f}, {part.allowed:.0f} may be off)"


CHECK = Check(
    id="load/delivered",
    summary="In each phase and overall the traffic sent as many requests as its rate asks for.",
    args=Delivered,
    judge=judge,
    streams=("requests",),
    needs_load=False,
    files=("requests/",),
)
