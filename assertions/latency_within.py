"""latency/within: is a quantile of the latency that clients saw below a bound, and were there enough to say so?"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from tocsin.harness.core.statistics import binomial_at_most, quantile, trials_needed
from tocsin.harness.declarations.check_arguments import Args, Duration, Ref
from tocsin.harness.evidence.check_bounds import scope_interval
from tocsin.harness.evidence.delivered_load import Load
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, FAILED, KINDS, UNKNOWN
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown

_ERRORS = 500
"""From this status on an answer is a failure: it came, but it is not what was asked for."""


class Within(Args):
    """The `quantile` of all latencies is at most `bound` (wall time: no speed divides it), proven at `confidence`.

    `kinds`: which payload kinds to look at, by default those that a good service answers.
    """

    quantile: float = Field(default=0.99, gt=0, lt=1)
    bound: Duration = Field(gt=0)
    confidence: float = Field(default=0.99, gt=0.5, lt=1)
    kinds: tuple[Annotated[str, Ref(kind="kind")], ...] | None = None


def judge(evidence: Evidence, args: Within) -> Finding:
    """Count the requests over the bound; pass or fail only where chance alone does not explain the count."""
    load = _offered(evidence, args)
    if not len(load):
        return unknown("No request was sent there.")
    sure, perhaps = _over(load, args.bound)
    count, allowed = len(load), 1 - args.quantile
    figures = {
        "requests": count,
        "over": sure,
        "perhaps_over": perhaps,
        "bound_s": args.bound,
        "seen_ms": _seen_ms(load, args),
    }
    name, story = f"p{100 * args.quantile:g} within {1000 * args.bound:g} ms", _story(load, sure + perhaps, args)
    if binomial_at_most(sure + perhaps, count, allowed) <= 1 - args.confidence:
        return passed(f"{name}: {story}.", **figures)
    if 1 - binomial_at_most(sure - 1, count, allowed) <= 1 - args.confidence:
        return failed(f"{name} does not hold: {story}.", **figures)
    story = f"{name} cannot be told: {story}"
    if perhaps and 1 - binomial_at_most(sure + perhaps - 1, count, allowed) <= 1 - args.confidence:
        cut = f"{perhaps} were given up before the bound was over, so it may have held for them"
        return unknown(f"{story}; {cut}. Use a bound below the time-out.", **figures)
    needed = trials_needed((sure + perhaps) / count, allowed, args.confidence)
    figures["needed"] = needed
    if needed is None:
        near = f"the share over it is too near {100 * allowed:.3g} %, or above, for any sample to prove it"
        return unknown(f"{story}; {near}.", **figures)
    more = f"at this share {needed} requests are needed: play longer or at a higher rate"
    return unknown(f"{story}; {more}.", **figures)


def _offered(evidence: Evidence, args: Within) -> Load:
    """Return the load that was due in the window, of the kinds that are looked at."""
    window = scope_interval(evidence, args)
    kinds = args.kinds
    if kinds is None:
        declared = evidence.run["kinds"]
        kinds = tuple(name for name in KINDS if declared.get(name, {}).get("counted", "answered") == "answered")
    load = Load.of(evidence).due(window.start, window.end)
    return load.only(np.isin(load.kind, [KINDS.index(name) for name in kinds if name in KINDS]))


def _over(load: Load, bound_s: float) -> tuple[int, int]:
    """Return how many were certainly over the bound, and how many more may have been.

    No useful answer is no answer in time: failed, dropped and 5xx are over it whenever they ended. A request that was
    given up before the bound was over may have been answered in time.
    """
    outcome = load.outcome
    took_s = load.done - load.intended
    late = (outcome == ANSWERED) & ((took_s > bound_s) | (load.status >= _ERRORS))
    lost = (outcome == FAILED) | (outcome == DROPPED)
    given_up = outcome == UNKNOWN
    open_ended = given_up & ~(took_s >= bound_s)  # also where nobody knows when it was given up
    sure = np.count_nonzero(late | lost | (given_up & ~open_ended))
    return int(sure), int(np.count_nonzero(open_ended))


def _seen_ms(load: Load, args: Within) -> float | None:
    """Return the quantile as it was seen, without an answer counted as longer than all; None if it is one of those."""
    good = (load.outcome == ANSWERED) & (load.status < _ERRORS)
    took_s = quantile(np.where(good, load.done - load.intended, np.inf), args.quantile)
    return round(1000 * took_s, 3) if np.isfinite(took_s) else None


def _story(load: Load, over: int, args: Within) -> str:
    seen_ms, seen = _seen_ms(load, args), "no answer in time"
    if seen_ms is not None:
        seen = f"{seen_ms:g} ms"
    answered = load.outcome == ANSWERED
    counts = {
        "without an answer": np.count_nonzero(~answered),
        "answered 5xx": np.count_nonzero(answered & (load.status >= _ERRORS)),
    }
    among = ", ".join(f"{count} {fate}" for fate, count in counts.items() if count)
    if among:
        among = f" ({among})"
    return f"seen {seen}, {over} of {len(load)} requests over it{among}, at {100 * args.confidence:g} % confidence"


CHECK = Check(
    summary="A quantile of the latency from the intended time is below a bound, with a sample that is large enough.",
    args=Within,
    judge=judge,
    streams=("requests",),
    files=("requests/",),
)
