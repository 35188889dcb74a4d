"""alerts/resolve: does the alert end in time once its cause is gone?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from harness.check import AlertName, Bounded, Check, Finding, failed, passed, unknown
from harness.evidence import Evidence, Interval
from harness.evidence.alerts import Episode
from harness.evidence.bounds import Bound, missed_evaluation_s, named, plain, relief
from harness.evidence.vouch import rules_failed


class Resolve(Bounded):
    """Which alert must end: its name, labels it carries (others are free), and the bound."""

    counts_from: ClassVar[Literal["begin", "end"]] = "end"
    alert: AlertName
    labels: Mapping[str, str] = {}


def judge(evidence: Evidence, args: Resolve) -> Finding:
    """Compare the end in ALERTS of the last matching episode with the bound."""
    bound = relief(evidence, args)
    name = named(args.alert, args.labels)
    episodes = _episodes(evidence, args, bound)
    if not episodes:
        return unknown(f"{name} never fired before the {bound} was over, so there was nothing to resolve.")
    open_at_deadline = [one for one in episodes if one.end is None or one.end > bound.deadline]
    if open_at_deadline:
        return _still_firing(evidence, bound, name, open_at_deadline)
    end = max(one.end for one in episodes if one.end is not None)
    broken = rules_failed(evidence, Interval(start=bound.since, end=bound.deadline))
    if broken:
        return unknown(f"{broken}, and an alert whose rule fails ends too.")
    after_s = bound.after_s(end)
    times = f" (the last of {len(episodes)} episodes)" if len(episodes) > 1 else ""
    notice, figures = _notice(evidence, args, end)
    figures |= {"ended_s": round(after_s, 3), "bound_s": bound.total_s, "episodes": len(episodes)}
    return passed(f"{name} ended {bound.when(end)}{times} ({bound}); {notice}.", fixed_s=dict(bound.fixed_s), **figures)


def window(evidence: Evidence, args: Resolve) -> Interval:
    """From the end of the cause to the end of the bound."""
    bound = relief(evidence, args)
    return Interval(start=bound.since, end=bound.deadline)


def _episodes(evidence: Evidence, args: Resolve, bound: Bound) -> list[Episode]:
    """Return the matching episodes between the cause's beginning and the end of the bound, in order."""
    found = [
        one
        for one in evidence.alerts.episodes(args.alert, args.labels)
        if one.start is not None and one.start < bound.deadline and (one.end is None or one.end > bound.begun)
    ]
    return sorted(found, key=lambda one: one.start)


def _still_firing(evidence: Evidence, bound: Bound, name: str, episodes: list[Episode]) -> Finding:
    last = evidence.alerts.last_evaluation
    ends = [one.end for one in episodes if one.end is not None]
    if len(ends) < len(episodes):
        if last is None or last + missed_evaluation_s(evidence) < bound.deadline:
            return unknown(f"{name} was still firing when the record ended, before the {bound} was over.")
        seen = f"still firing when last evaluated, {bound.when(last)}"
    else:
        seen = f"ended only {bound.when(max(ends))}"
    return failed(f"{name} {seen} ({bound}).", bound_s=bound.total_s, fixed_s=dict(bound.fixed_s))


def _notice(evidence: Evidence, args: Resolve, end: float) -> tuple[str, dict[str, float]]:
    """Say when the resolved notice arrived. It comes on a group_interval tick and is told, not judged."""
    told = [
        one.at
        for one in evidence.notifications
        if one.delivered and one.at >= end and one.names(args.alert, args.labels, "resolved")
    ]
    due_s = float(evidence.run["group_interval_s"])
    if not told:
        return f"no resolved notice was delivered (due within {plain(due_s)} s)", {}
    lag_s = (told[0] - end) * evidence.speed
    return f"resolved notice {plain(lag_s)} s later (due within {plain(due_s)} s)", {"notice_s": round(lag_s, 3)}


CHECK = Check(
    id="alerts/resolve",
    summary="Every matching alert that fired has ended within the bound after its cause was gone.",
    args=Resolve,
    judge=judge,
    streams=("alerts",),
    window=window,
    files=("metrics/", "notifications.jsonl"),
)
