"""latency/metric_agrees: does the service's latency histogram say what its clients saw?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.check_arguments import Args, Duration
from tocsin.harness.evidence.check_bounds import scope_interval
from tocsin.harness.evidence.counter_growth import Growth, measure_growth, restart_intervals
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, FAILED, UNKNOWN
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown
from tocsin.harness.judging.client_comparison import RACE_S, declared, ended, last_scrape, scrape_times
from tocsin.harness.judging.wording import between

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

    `sure` and `known` are sorted. `free` may have been observed at any length or not at all. `waited_s`: all together.
    """

    sure: np.ndarray
    known: np.ndarray
    free: int
    waited_s: float

    @property
    def most(self) -> int:
        """How many observations there may be."""
        return len(self.known) + self.free

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
    truth = _truth(evidence, span, _unscraped(buckets[inf], restarts))
    if not len(truth.sure):
        return unknown("No answered request lies between the scrapes, so there is nothing to compare.")
    counted = {bound: _sum(buckets[bound], span, restarts) for bound in sorted(buckets)}
    return _compare(counted, _sum(sums, span, restarts), truth, args)


def _compare(counted: Mapping[float, Growth], spent: Growth, truth: _Truth, args: Agrees) -> Finding:
    """Compare the growth of each bucket, by its bound, and of the sum (seconds) with what clients saw."""
    observed, sure = counted[inf].amount, len(truth.sure)
    figures = {
        "observed": observed, "answered": sure, "sum_s": spent.amount, "free": truth.free,
        "buckets": {f"{bound:g}": [growth.amount, truth.below(bound)] for bound, growth in counted.items()},
    }  # fmt: skip
    story = f"{observed:.0f} observed, {sure} answered"
    if truth.free:
        story += f", {truth.free} of which nobody knows how long they took there"
    problems = _problems(counted, truth, args) + _sum_problems(spent, counted[inf], truth.waited_s)
    if problems:
        return failed(f"Histogram and clients disagree: {'; '.join(problems)} ({story}).", **figures)
    mean_ms, seen_ms = 1000 * spent.amount / max(observed, 1), 1000 * float(truth.sure.mean())
    means = f"mean {mean_ms:.3g} ms in the service, {seen_ms:.3g} ms at the client"
    return passed(f"Histogram and clients agree in {len(counted)} buckets: {story}, {means}.", **figures)


def _problems(counted: Mapping[float, Growth], truth: _Truth, args: Agrees) -> list[str]:
    """Return where the histogram says what cannot be: too few or too many at or below a bound, or falling counts."""
    total, problems = counted[inf].amount, []
    if any(growth.falls for growth in counted.values()):
        problems.append("its counts fell without a planned restart")
    if not len(truth.sure) <= total <= truth.most:
        problems.append(f"{total:.0f} observations, clients account for {between(len(truth.sure), truth.most)}")
        return problems
    hidden = args.hidden * len(truth.sure)
    most = {bound: truth.at_most_below(bound + args.overhead) for bound in counted}
    slow = [bound for bound in counted if counted[bound].amount < truth.below(bound)]
    fast = [bound for bound in counted if counted[bound].amount > most[bound] + hidden]
    if slow:
        bound = slow[0]
        seen = f"{counted[bound].amount:.0f} observations up to {bound:g} s, but {truth.below(bound)} clients"
        problems.append(f"{seen} had their whole answer by then: the service says it took longer than it did")
    if fast:
        bound = fast[-1]
        seen = f"{counted[bound].amount:.0f} observations up to {bound:g} s, but only {most[bound]} clients"
        late = f"within {bound + args.overhead:g} s: the service does not see what they waited for"
        problems.append(f"{seen} had an answer {late}")
    return problems


def _sum_problems(spent: Growth, total: Growth, waited_s: float) -> list[str]:
    """Return what is wrong with the sum: it cannot fall, nor be more than all clients waited together."""
    if spent.falls or spent.amount < 0:
        return ["its sum fell without a planned restart: a duration was negative"]
    if spent.amount > waited_s + TICK_S * total.amount:
        return [f"its sum is {spent.amount:.3g} s, more than the {waited_s:.3g} s that all clients waited"]
    return []


def _unscraped(series: Sequence[Series], restarts: Sequence[Interval]) -> list[Interval]:
    """Return what a killed process may have taken with it: from the last scrape before each restart to its end."""
    times = scrape_times(series)
    return [Interval(start=last_scrape(times, restart.start), end=restart.end) for restart in restarts]


def _truth(evidence: Evidence, span: Interval, gaps: Sequence[Interval]) -> _Truth:
    """Return what clients saw between two scrapes.

    Sure are answered requests of kinds that are counted, clear of both scrapes and of what a killed process took with
    it. A refusal may be quick though its client was slow to send.
    """
    rows = evidence.requests
    possible = (rows["sent"] <= span.end + RACE_S) & (ended(rows, inf) >= span.start)
    possible &= (rows["outcome"] != DROPPED) & (rows["outcome"] != FAILED)
    rows = rows[possible & (declared(evidence, rows, "counted") != "no")]
    counted, end = declared(evidence, rows, "counted"), ended(rows, inf)
    answered, took_s = rows["outcome"] == ANSWERED, rows["done"] - rows["sent"]
    sure = answered & (counted != "maybe") & (rows["sent"] >= span.start + RACE_S) & (end <= span.end)
    for gap in gaps:
        sure &= (end < gap.start - RACE_S) | (rows["sent"] > gap.end + RACE_S)
    known = answered & (counted == "answered")
    waited_s = inf if (rows["outcome"] == UNKNOWN).any() else float(took_s[answered].sum())
    free = int(np.count_nonzero(~known))
    return _Truth(sure=np.sort(took_s[sure]), known=np.sort(took_s[known]), free=free, waited_s=waited_s)


def _span(evidence: Evidence, args: Agrees, series: Sequence[Series]) -> Interval | None:
    """Return the last scrape before what is looked at and the first one after it; None if that was not scraped."""
    window = scope_interval(evidence, args)
    rows = evidence.requests[evidence.requests["outcome"] != DROPPED]
    if args.phase is None and args.during is None and len(rows):
        last = float(np.nanmax(ended(rows, rows["sent"])))
        window = Interval(start=min(window.start, float(np.nanmin(rows["sent"]))), end=last)
    times = scrape_times(series)
    after = times[times >= window.end]
    if not len(after):
        return None
    return Interval(start=last_scrape(times, window.start), end=float(after[0]))


def _by_bound(every: Sequence[Series]) -> dict[float, list[Series]]:
    by_bound: dict[float, list[Series]] = {}
    for series in every:
        if "le" in series.labels:
            by_bound.setdefault(float(series.labels["le"]), []).append(series)
    return by_bound


def _sum(every: Sequence[Series], span: Interval, restarts: Sequence[Interval]) -> Growth:
    parts = [measure_growth(series, span.start, span.end, restarts) for series in every]
    return Growth(amount=round(sum(part.amount for part in parts), 6), falls=sum(part.falls for part in parts))


CHECK = Check(
    summary="The service's latency histogram holds what its clients waited for, bucket by bucket, and nothing else.",
    args=Agrees,
    judge=judge,
    streams=("metrics", "requests"),
    needs_load=False,
    files=("metrics/", "requests/"),
)
