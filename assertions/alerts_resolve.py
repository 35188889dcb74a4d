"""alerts/resolve: does the alert end in time once its cause is gone?"""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from tocsin.harness.declarations.check_arguments import AlertBound
from tocsin.harness.evidence.alert_episodes import Episode
from tocsin.harness.evidence.check_bounds import Bound, clock_slack_s, missed_evaluation_s, relief_bound, rounded
from tocsin.harness.evidence.firings_in_scope import notices
from tocsin.harness.evidence.stream_coverage import rules_failed
from tocsin.harness.judging.alert_check_helpers import alert_name, streams_for_delivery
from tocsin.harness.judging.check import Answer, Check, Evidence, Finding, Interval, failed, unknown

NOTICE_SLACK_S = 1.0
"""Wall seconds that no speed divides: a notification's way through a busy machine."""


class Resolve(AlertBound):
    """Which alert must end: its name, labels it carries (others are free), the bound, and who must be told of it."""

    counts_from: ClassVar[Literal["begin", "end"]] = "end"


def judge(evidence: Evidence, args: Resolve) -> Finding:
    """Compare the end in ALERTS of the last matching episode with the bound."""
    bound = relief_bound(evidence, args)
    name = alert_name(args)
    episodes = _episodes(evidence, args, bound)
    if not episodes:
        return unknown(f"{name} never fired before the {bound} was over, so there was nothing to resolve.")
    late = [episode for episode in episodes if episode.end is None or episode.end > bound.deadline]
    if late:
        return _not_in_time(evidence, args, bound, late)
    broken = rules_failed(evidence, Interval(start=bound.since, end=bound.deadline))
    if broken:
        return unknown(f"{broken}, and an alert whose rule fails ends too.")
    last = max(episodes, key=_end)
    notice = _notice(evidence, args, last)
    story = f"{name} ended {bound.when(_end(last))}"
    if len(episodes) > 1:
        story += f" (the last of {len(episodes)} episodes)"
    answer = notice.answer if args.delivered_to is not None else Answer.PASS
    figures = {
        "fixed_s": dict(bound.fixed_s),
        "ended_s": round(bound.after_s(_end(last)), 3),
        "bound_s": bound.total_s,
        "episodes": len(episodes),
        **notice.figures,
    }
    return Finding(answer=answer, reason=f"{story} ({bound}); {notice.reason}.", figures=figures)


def window(evidence: Evidence, args: Resolve) -> Interval:
    """From the end of the cause to the end of the bound, and to the resolved notice if a receiver is named."""
    bound = relief_bound(evidence, args)
    ends = [end for end in map(_end, _episodes(evidence, args, bound)) if end <= bound.deadline]
    until = bound.deadline
    if args.delivered_to is not None and ends:
        resolved = _resolved_at(evidence, args, max(ends))
        until = max(until, [*resolved, _due(evidence, args, max(ends))][0])
    return Interval(start=bound.since, end=until)


def _end(episode: Episode) -> float:
    """Return when an episode ended, infinity while it fires."""
    return inf if episode.end is None else episode.end


def _episodes(evidence: Evidence, args: Resolve, bound: Bound) -> list[Episode]:
    """Return the matching episodes between the cause's beginning and the end of the bound, in order."""
    matching = sorted(evidence.alerts.episodes(args.alert, args.labels), key=lambda episode: episode.start)
    return [one for one in matching if one.start < bound.deadline and _end(one) > bound.begun]


def _not_in_time(evidence: Evidence, args: Resolve, bound: Bound, episodes: list[Episode]) -> Finding:
    name = alert_name(args)
    figures = {"bound_s": bound.total_s, "fixed_s": dict(bound.fixed_s)}
    end = max(map(_end, episodes))
    if end < inf:
        return failed(f"{name} ended only {bound.when(end)} ({bound}).", **figures)
    last = evidence.alerts.last_evaluation
    if last is None or last + missed_evaluation_s(evidence, args.alert) < bound.deadline:
        return unknown(f"{name} was still firing when the record ended, before the {bound} was over.")
    return failed(f"{name} still firing when last evaluated, {bound.when(last)} ({bound}).", **figures)


def _notice(evidence: Evidence, args: Resolve, last: Episode) -> Finding:
    """Say when the resolved notice arrived. It comes on a group_interval tick after the end in ALERTS."""
    end, due_s = _end(last), _tick_s(evidence, args) * evidence.speed
    resolved, held = _resolved_at(evidence, args, end), _held_at_end(evidence, args, last)
    receiver = f" to {args.delivered_to}" if args.delivered_to else ""
    if resolved:
        lag_s = (resolved[0] - end) * evidence.speed
        expected = "held back when it ended" if held else f"due within {rounded(due_s)} s"
        if held or resolved[0] <= _due(evidence, args, end):
            answer, lag = Answer.PASS, f"{rounded(lag_s)} s later ({expected})"
        else:
            answer, lag = Answer.FAIL, f"only {rounded(lag_s)} s later ({expected})"
        figures = {"notice_s": round(lag_s, 3)}
        return Finding(answer=answer, reason=f"resolved notice{receiver} {lag}", figures=figures)
    settled = evidence.facts("settled")
    if args.delivered_to and not _ever_told(evidence, args, end):
        return unknown(f"{args.delivered_to} was never told that it fired, so no notice of its end was due")
    if args.delivered_to and held:
        return unknown(f"Alertmanager held it back when it ended, and no resolved notice was delivered{receiver} since")
    if args.delivered_to and (not settled or settled[-1].at < _due(evidence, args, end)):
        return unknown(f"the record ended before its resolved notice{receiver} was due (within {rounded(due_s)} s)")
    return failed(f"no resolved notice was delivered{receiver} (due within {rounded(due_s)} s)")


def _held_at_end(evidence: Evidence, args: Resolve, last: Episode) -> bool:
    """Tell whether an alert was inhibited or silenced when it ended: then its notice waits until it is let go."""
    since = _end(last) - missed_evaluation_s(evidence, args.alert)
    return any(interval.end >= since for interval in (*last.inhibited, *last.silenced))


def _resolved_at(evidence: Evidence, args: Resolve, end: float) -> list[float]:
    """Return when the named receiver (none: anybody) was told of the end."""
    after = Interval(start=end, end=inf)
    messages = notices(evidence, args.alert, args.labels, after, status="resolved", receiver=args.delivered_to)
    return [notice.at for notice in messages]


def _ever_told(evidence: Evidence, args: Resolve, end: float) -> bool:
    before = Interval(start=-inf, end=end)
    return bool(notices(evidence, args.alert, args.labels, before, receiver=args.delivered_to))


def _tick_s(evidence: Evidence, args: Resolve) -> float:
    """Return the group interval in wall seconds: that of the receiver's routes, if one is named, else the longest."""
    own = None
    if args.delivered_to:
        own = evidence.configuration.group_interval_s(args.delivered_to)
    return float(evidence.run["group_interval_s"]) / evidence.speed if own is None else own


def _due(evidence: Evidence, args: Resolve, end: float) -> float:
    """Return until when the resolved notice must have come: one tick, and its way, which no speed divides."""
    return end + _tick_s(evidence, args) + NOTICE_SLACK_S + clock_slack_s(evidence)


CHECK = Check(
    summary="Every matching alert that fired has ended within the bound, and whoever is named was told of it.",
    args=Resolve,
    judge=judge,
    streams=("alerts",),
    more_streams=streams_for_delivery,
    window=window,
    files=("metrics/", "notifications.jsonl"),
)
