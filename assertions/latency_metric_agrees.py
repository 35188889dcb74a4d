"""latency/metric_agrees: does the service's latency histogram say what its clients saw?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.references import Args, Duration
from tocsin.harness.evidence.check_bounds import scope_interval
from tocsin.harness.evidence.counter_growth import Growth, measure_growth, restart_intervals
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, FAILED, KINDS, UNKNOWN
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

RACE_S = 0.1
"""Wall seconds that may lie between the time of a scrape and the moment at which its values were read."""

TICK_S = 0.001
"""The service may finish its measurement so long after the client has its answer, wall seconds."""


class Agrees(Args):
    """The service may miss up to `overhead` (wall time) of what a client saw, and more for a share `hidden` of all.

    The default bears a busy machine, on which a client too is late to read its answer.
    """

    overhead: Duration = Field(default=0.5, ge=0)
    hidden: float = Field(default=0.01, ge=0, lt=1)


@dataclass(frozen=True, kw_only=True)
class _Truth:
    """What clients saw: seconds of the requests that were observed for sure, of those with a known end, how many more.

    `sure` and `known` are sorted. `free` may have been observed at any length or not at all.
    """

    sure: np.ndarray
    known: np.ndarray
    free: int

    def below(self, bound_s: float) -> int:
        """How many observations at most `bound_s` there must be: no service takes longer than its client waits."""
        return int(np.searchsorted(self.sure, bound_s - TICK_S, side="right"))

    def at_most_below(self, bound_s: float) -> int:
        """How many there may be."""
        return int(np.searchsorted(self.known, bound_s, side="right")) + self.free


def judge(evidence: Evidence, args: Agrees) -> Finding:
    """Compare, bucket by bucket, the histogram's growth with the request records; then its sum and its total."""
    signal = evidence.signals.latency
    if signal is None:
        return unknown("The stack declares no latency histogram.")
    buckets = _by_bound(evidence.metrics.select(f"{signal.metric}_bucket"))
    sums = evidence.metrics.select(f"{signal.metric}_sum")
    if not sums or inf not in buckets or len(buckets) < 2:
        return unknown(f"No histogram {signal.metric} with buckets was scraped.")
    span = _span(evidence, args, buckets[inf])
    if span is None:
        return unknown("The histogram was not scraped after the last request.")
    restarts = restart_intervals(evidence, buckets[inf])
    truth, longest_s = _truth(evidence, span, _unscraped(buckets[inf], restarts))
    if not len(truth.sure):
        return unknown("No answered request lies between the scrapes, so there is nothing to compare.")
    counted = {bound: _sum(series, span, restarts) for bound, series in buckets.items()}
    spent = _sum(sums, span, restarts)
    problems = _problems(counted, truth, args) + _sum_problems(spent, counted[inf], longest_s)
    figures = {
        "observed": counted[inf].amount, "answered": len(truth.sure), "sum_s": spent.amount, "free": truth.free,
        "buckets": {f"{bound:g}": [counted[bound].amount, truth.below(bound)] for bound in sorted(counted)},
    }  # fmt: skip
    told = f"{counted[inf].amount:.0f} observed, {len(truth.sure)} answered{_free(truth.free)}"
    if problems:
        return failed(f"Histogram and clients disagree: {'; '.join(problems)} ({told}).", **figures)
    mean_ms = 1000 * spent.amount / max(counted[inf].amount, 1)
    seen_ms = 1000 * float(truth.sure.mean())
    means = f"mean {mean_ms:.3g} ms in the service, {seen_ms:.3g} ms at the client"
    return passed(f"Histogram and clients agree in {len(counted)} buckets: {told}, {means}.", **figures)


def _problems(counted: Mapping[float, Growth], truth: _Truth, args: Agrees) -> list[str]:
    """Return where the histogram says what cannot be: too few or too many at or below a bound, or falling counts."""
    total, problems = counted[inf], []
    if any(one.falls for one in counted.values()):
        problems.append("its counts fell without a planned restart")
    if not len(truth.sure) <= total.amount <= len(truth.known) + truth.free:
        most = len(truth.known) + truth.free
        problems.append(f"{total.amount:.0f} observations, clients account for {_range(len(truth.sure), most)}")
        return problems
    hidden = args.hidden * len(truth.sure)
    slow = [bound for bound in sorted(counted) if counted[bound].amount < truth.below(bound)]
    fast = [
        bound
        for bound in sorted(counted)
        if counted[bound].amount > truth.at_most_below(bound + args.overhead) + hidden
    ]
    if slow:
        bound = slow[0]
        seen = f"{counted[bound].amount:.0f} observations up to {bound:g} s, but {truth.below(bound)} clients"
        problems.append(f"{seen} had their whole answer by then: the service says it took longer than it did")
    if fast:
        bound = fast[-1]
        most = truth.at_most_below(bound + args.overhead)
        seen = f"{counted[bound].amount:.0f} observations up to {bound:g} s, but only {most} clients had an answer"
        problems.append(f"{seen} within {bound + args.overhead:g} s: the service does not see what they waited for")
    return problems


def _sum_problems(spent: Growth, total: Growth, longest_s: float) -> list[str]:
    """Return what is wrong with the sum: it cannot fall, nor be more than all clients waited together."""
    if spent.falls or spent.amount < 0:
        return ["its sum fell without a planned restart: a duration was negative"]
    if spent.amount > longest_s + TICK_S * total.amount:
        return [f"its sum is {spent.amount:.3g} s, more than the {longest_s:.3g} s that all clients waited"]
    return []


def _unscraped(series: Sequence[Series], restarts: Sequence[Interval]) -> list[Interval]:
    """Return what a killed process may have taken with it: from the last scrape before each restart to its end."""
    times = np.unique(np.concatenate([one.t for one in series]))
    before = [times[times <= restart.start] for restart in restarts]
    starts = [float(one[-1]) if len(one) else -inf for one in before]
    return [Interval(start=start, end=restart.end) for start, restart in zip(starts, restarts, strict=True)]


def _truth(evidence: Evidence, span: Interval, gaps: Sequence[Interval]) -> tuple[_Truth, float]:
    """Return what clients saw between two scrapes, and how long all of them waited together (seconds).

    Sure are answered requests of kinds that are counted, clear of both scrapes and of what a killed process took with
    it. A refusal may be quick though its client was slow to send.
    """
    rows = evidence.requests
    rows = rows[(rows["outcome"] != DROPPED) & (rows["outcome"] != FAILED)]
    declared = np.array([evidence.run["kinds"].get(kind, {}).get("counted", "maybe") for kind in KINDS])[rows["kind"]]
    rows, declared = rows[declared != "no"], declared[declared != "no"]
    end = np.where(np.isnan(rows["done"]), inf, rows["done"])
    possible = (rows["sent"] <= span.end + RACE_S) & (end >= span.start)
    rows, declared, end = rows[possible], declared[possible], end[possible]
    answered, took_s = rows["outcome"] == ANSWERED, rows["done"] - rows["sent"]
    sure = answered & (declared != "maybe") & (rows["sent"] >= span.start + RACE_S) & (end <= span.end)
    for gap in gaps:
        sure &= (end < gap.start - RACE_S) | (rows["sent"] > gap.end + RACE_S)
    known = answered & (declared == "answered")
    lost = rows["outcome"] == UNKNOWN
    waited_s = inf if lost.any() else float(took_s[answered].sum())
    free = int(np.count_nonzero(~known))
    return _Truth(sure=np.sort(took_s[sure]), known=np.sort(took_s[known]), free=free), waited_s


def _span(evidence: Evidence, args: Agrees, series: Sequence[Series]) -> Interval | None:
    """Return the last scrape before what is looked at and the first one after it; None if that was not scraped."""
    rows = evidence.requests[evidence.requests["outcome"] != DROPPED]
    window = scope_interval(evidence, args)
    if args.phase is None and args.during is None and len(rows):
        last = float(np.nanmax(np.where(np.isnan(rows["done"]), rows["sent"], rows["done"])))
        window = Interval(start=min(window.start, float(np.nanmin(rows["sent"]))), end=last)
    times = np.unique(np.concatenate([one.t for one in series]))
    before, after = times[times <= window.start], times[times >= window.end]
    if not len(after):
        return None
    return Interval(start=float(before[-1]) if len(before) else -inf, end=float(after[0]))


def _by_bound(series: Sequence[Series]) -> dict[float, list[Series]]:
    found: dict[float, list[Series]] = {}
    for one in series:
        if "le" in one.labels:
            found.setdefault(float(one.labels["le"]), []).append(one)
    return found


def _sum(series: Sequence[Series], span: Interval, restarts: Sequence[Interval]) -> Growth:
    parts = [measure_growth(one, span.start, span.end, restarts) for one in series]
    return Growth(amount=round(sum(one.amount for one in parts), 6), falls=sum(one.falls for one in parts))


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _free(count: int) -> str:
    return f", {count} of which nobody knows how long they took there" if count else ""


CHECK = Check(
    summary="The service's latency histogram holds what its clients waited for, bucket by bucket, and nothing else.",
    args=Agrees,
    judge=judge,
    streams=("metrics", "requests"),
    needs_load=False,
    files=("metrics/", "requests/"),
)
