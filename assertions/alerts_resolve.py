"""alerts/resolve: does the alert end in time once its cause is gone?"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import ClassVar, Literal

from tocsin.harness.declarations.references import AlertName, Bounded, ReceiverName
from tocsin.harness.evidence.alerts import Episode
from tocsin.harness.evidence.check_bounds import (
    Bound,
    clock_slack_s,
    format_alert,
    missed_evaluation_s,
    relief_bound,
    rounded,
)
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import notices
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import rules_failed
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

NOTICE_SLACK_S = 1.0
"""Wall seconds that no speed divides: a notification's way through a busy machine."""


class Resolve(Bounded):
    """Which alert must end: its name, labels it carries (others are free), the bound, and who must be told of it."""

    counts_from: ClassVar[Literal["begin", "end"]] = "end"
    alert: AlertName
    labels: Mapping[str, str] = {}
    delivered_to: ReceiverName | None = None


def judge(evidence: Evidence, args: Resolve) -> Finding:
    """Compare the end in ALERTS of the last matching episode with the bound."""
    bound = relief_bound(evidence, args)
    name = format_alert(args.alert, args.labels)
    episodes = _episodes(evidence, args, bound)
    if not episodes:
        return unknown(f"{name} never fired before the {bound} was over, so there was nothing to resolve.")
    open_at_deadline = [one for one in episodes if one.end is None or one.end > bound.deadline]
    if open_at_deadline:
        return _still_firing(evidence, args, bound, open_at_deadline)
    end, last = max(((one.end, one) for one in episodes if one.end is not None), key=lambda pair: pair[0])
    broken = rules_failed(evidence, Interval(start=bound.since, end=bound.deadline))
    if broken:
        return unknown(f"{broken}, and an alert whose rule fails ends too.")
    after_s = bound.after_s(end)
    times = f" (the last of {len(episodes)} episodes)" if len(episodes) > 1 else ""
    notice = _notice(evidence, args, last)
    figures = {"ended_s": round(after_s, 3), "bound_s": bound.total_s, "episodes": len(episodes), **notice.figures}
    answer = passed if args.delivered_to is None else {"pass": passed, "fail": failed}.get(notice.answer, unknown)
    story = f"{name} ended {bound.when(end)}{times} ({bound}); {notice.reason}."
    return answer(story, fixed_s=dict(bound.fixed_s), **figures)


def window(evidence: Evidence, args: Resolve) -> Interval:
    """From the end of the cause to the end of the bound, and to the resolved notice if a receiver is named."""
    bound = relief_bound(evidence, args)
    ends = [one.end for one in _episodes(evidence, args, bound) if one.end is not None and one.end <= bound.deadline]
    if args.delivered_to is None or not ends:
        return Interval(start=bound.since, end=bound.deadline)
    told = _told(evidence, args, max(ends))
    return Interval(start=bound.since, end=max(bound.deadline, told[0] if told else _due(evidence, args, max(ends))))


def _episodes(evidence: Evidence, args: Resolve, bound: Bound) -> list[Episode]:
    """Return the matching episodes between the cause's beginning and the end of the bound, in order."""
    found = [
        one
        for one in evidence.alerts.episodes(args.alert, args.labels)
        if one.start is not None and one.start < bound.deadline and (one.end is None or one.end > bound.begun)
    ]
    return sorted(found, key=lambda one: one.start)


def _still_firing(evidence: Evidence, args: Resolve, bound: Bound, episodes: list[Episode]) -> Finding:
    name = format_alert(args.alert, args.labels)
    last = evidence.alerts.last_evaluation
    ends = [one.end for one in episodes if one.end is not None]
    if len(ends) < len(episodes):
        if last is None or last + missed_evaluation_s(evidence, args.alert) < bound.deadline:
            return unknown(f"{name} was still firing when the record ended, before the {bound} was over.")
        seen = f"still firing when last evaluated, {bound.when(last)}"
    else:
        seen = f"ended only {bound.when(max(ends))}"
    return failed(f"{name} {seen} ({bound}).", bound_s=bound.total_s, fixed_s=dict(bound.fixed_s))


def _notice(evidence: Evidence, args: Resolve, last: Episode) -> Finding:
    """Say when the resolved notice arrived. It comes on a group_interval tick after the end in ALERTS."""
    due_s, end = _tick_s(evidence, args) * evidence.speed, last.end or inf
    whom = f" to {args.delivered_to}" if args.delivered_to else ""
    told, held = _told(evidence, args, end), _held_at_end(evidence, args, last)
    if told:
        lag_s = (told[0] - end) * evidence.speed
        in_time = held or told[0] <= _due(evidence, args, end)
        asked = "held back when it ended" if held else f"due within {rounded(due_s)} s"
        text = f"resolved notice{whom} {'' if in_time else 'only '}{rounded(lag_s)} s later ({asked})"
        return (passed if in_time else failed)(text, notice_s=round(lag_s, 3))
    settled = evidence.facts("settled")
    if args.delivered_to and not _ever_told(evidence, args, end):
        return unknown(f"{args.delivered_to} was never told that it fired, so no notice of its end was due")
    if args.delivered_to and held:
        return unknown(f"Alertmanager held it back when it ended, and no resolved notice was delivered{whom} since")
    if args.delivered_to and (not settled or settled[-1].at < _due(evidence, args, end)):
        return unknown(f"the record ended before its resolved notice{whom} was due (within {rounded(due_s)} s)")
    return failed(f"no resolved notice was delivered{whom} (due within {rounded(due_s)} s)")


def _held_at_end(evidence: Evidence, args: Resolve, last: Episode) -> bool:
    """Tell whether an alert was inhibited or silenced when it ended: then its notice waits until it is let go."""
    since = (last.end or inf) - missed_evaluation_s(evidence, args.alert)
    return any(when.end >= since for when in (*last.inhibited, *last.silenced))


def _told(evidence: Evidence, args: Resolve, end: float) -> list[float]:
    """Return when the named receiver (none: anybody) was told of the end."""
    after = Interval(start=end, end=inf)
    found = notices(evidence, args.alert, args.labels, after, status="resolved", receiver=args.delivered_to)
    return [one.at for one in found]


def _ever_told(evidence: Evidence, args: Resolve, end: float) -> bool:
    before = Interval(start=-inf, end=end)
    return bool(notices(evidence, args.alert, args.labels, before, receiver=args.delivered_to))


def _tick_s(evidence: Evidence, args: Resolve) -> float:
    """Return the group interval in wall seconds: that of the receiver's routes, if one is named, else the longest."""
    own = evidence.configuration.group_interval_s(args.delivered_to) if args.delivered_to else None
    return own if own is not None else float(evidence.run["group_interval_s"]) / evidence.speed


def _due(evidence: Evidence, args: Resolve, end: float) -> float:
    """Return until when the resolved notice must have come: one tick, and its way, which no speed divides."""
    return end + _tick_s(evidence, args) + NOTICE_SLACK_S + clock_slack_s(evidence)


CHECK = Check(
    id="alerts/resolve",
    summary="Every matching alert that fired has ended within the bound, and whoever is named was told of it.",
    args=Resolve,
    judge=judge,
    streams=("alerts",),
    more_streams=lambda args: ("notifications",) if args.delivered_to else (),
    window=window,
    files=("metrics/", "notifications.jsonl"),
)
