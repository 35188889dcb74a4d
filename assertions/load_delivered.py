"""load/delivered: was the load sent that the scenario asks for?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from harness.check import Args, Check, Finding, failed, passed, unknown
from harness.evidence import Evidence, Interval
from harness.evidence.requests import OUTCOMES
from harness.statistics import quantile

NOISE_SIGMAS = 4.0
"""Poisson arrivals may miss what was asked by so many standard deviations."""

FEWEST_OFF = 2.0
"""Even evenly spaced arrivals may fall on either side of a phase's two edges."""


class Delivered(Args):
    """How far the sent count may be from the asked one, as a share (0.05 is 5 %)."""

    tolerance: float = Field(default=0.05, ge=0, lt=1)


def judge(evidence: Evidence, args: Delivered) -> Finding:
    """Count the requests begun in each phase against its rate; canaries are not load."""
    rows = evidence.requests[evidence.requests["worker"] > 0]
    if not len(rows):
        return unknown("No request of the traffic is recorded.")
    plans = [one for one in evidence.run["phases"] if args.phase in (None, one["name"])]
    missing = [one["name"] for one in plans if one["name"] not in evidence.phases]
    if missing or not plans:
        return unknown(f"Never played: {', '.join(missing) or args.phase}.")
    dropped = rows["outcome"] == OUTCOMES.index("dropped")
    begun = np.where(np.isnan(rows["sent"]), rows["intended"], rows["sent"])[~dropped]
    parts = {one["name"]: _part(one, evidence.phases[one["name"]], begun, args.tolerance) for one in plans}
    parts["all"] = _sum(parts.values())
    late_ms = _late_ms(rows)
    story = f"{np.count_nonzero(dropped)} never sent, p99 of the schedule error {late_ms:.1f} ms"
    figures = {"dropped": int(np.count_nonzero(dropped)), "late_ms_p99": round(late_ms, 3), "phases": parts}
    off = [name for name, part in parts.items() if abs(part["sent"] - part["asked"]) > part["allowed"]]
    whole = parts["all"]
    if off:
        told = "; ".join(f"{name}: {_told(parts[name])}" for name in off)
        return failed(f"The load was off: {told} ({story}).", **figures)
    return passed(f"Asked {whole['asked']:.0f}, sent {whole['sent']:.0f} requests ({story}).", **figures)


def _part(plan: Mapping[str, Any], place: Interval, begun: np.ndarray, tolerance: float) -> dict[str, float]:
    """Return what was asked, sent and allowed to be off in one phase; `seconds` are wall seconds as played."""
    traffic = plan["traffic"]
    asked = float(traffic["rate_per_s"]) * place.seconds
    noise = NOISE_SIGMAS * math.sqrt(asked) if traffic.get("arrivals", "poisson") == "poisson" else FEWEST_OFF
    sent = int(np.count_nonzero((begun >= place.start) & (begun < place.end)))
    return {"asked": asked, "sent": sent, "allowed": max(tolerance * asked, noise), "seconds": place.seconds}


def _sum(parts: Any) -> dict[str, float]:
    parts = list(parts)
    total = {key: sum(one[key] for one in parts) for key in ("asked", "sent", "seconds")}
    # Noise of independent phases adds in squares; what is proportional to the load keeps its share.
    allowed = math.sqrt(sum(one["allowed"] ** 2 for one in parts))
    return {**total, "allowed": allowed}


def _late_ms(rows: np.ndarray) -> float:
    late_s = (rows["sent"] - rows["intended"])[~np.isnan(rows["sent"])]
    return 1000 * quantile(late_s.tolist(), 0.99) if len(late_s) else math.nan


def _told(part: Mapping[str, float]) -> str:
    seconds = max(part["seconds"], 1e-9)
    return (
        f"asked {part['asked'] / seconds:.1f}/s, sent {part['sent'] / seconds:.1f}/s"
        f" ({part['sent']:.0f} of {part['asked']:.0f}, {part['allowed']:.0f} may be off)"
    )


CHECK = Check(
    id="load/delivered",
    summary="In each phase and overall the traffic sent as many requests as its rate asks for.",
    args=Delivered,
    judge=judge,
    streams=("requests",),
    needs_load=False,
    files=("requests/",),
)
