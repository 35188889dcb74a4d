"""alerts/fire: does the alert fire in time, and does it reach whom it should?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.evidence.alert_episodes import Episode
from tocsin.harness.evidence.check_bounds import Bound, clock_slack_s, missed_evaluation_s, onset_bound, rounded
from tocsin.harness.evidence.firings_in_scope import where_it_went
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.alert_check_helpers import alert_labels, alert_name, streams_for_delivery
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown


def judge(evidence: Evidence, args: Fire) -> Finding:
    """Compare the first firing sample, or the first delivery answered 2xx, with the bound."""
    bound = onset_bound(evidence, args)
    early = _active_before(evidence, args, bound)
    if early:
        place = args.during or args.phase or "play"
        return unknown(f"{early} was already active when {place} began, so nothing shows what set it off.")
    episode = _first_episode(evidence, args, bound)
    if episode is None or episode.start > bound.deadline:
        return _not_in_time(evidence, args, bound, episode)
    story = f"{alert_name(args)} firing {bound.when(episode.start)}"
    figures = {
        "firing_s": round(bound.after_s(episode.start), 3),
        "bound_s": bound.total_s,
        "fixed_s": dict(bound.fixed_s),
    }
    if args.delivered_to is None:
        return passed(f"{story} ({bound}).", **figures)
    return _delivery(evidence, args, bound, episode, story, figures)


def window(evidence: Evidence, args: Fire) -> Interval:
    """From where nothing may be active yet to the answer: the firing or the delivery, else the end of the bound."""
    bound = onset_bound(evidence, args)
    episode = _first_episode(evidence, args, bound)
    answers = [bound.deadline]
    if episode is not None and args.delivered_to is None:
        answers.append(episode.start)
    elif episode is not None:
        answers += [attempt.at for attempt in _attempts(evidence, args, episode) if attempt.delivered]
    return Interval(start=bound.begun, end=min(answers))


def _not_in_time(evidence: Evidence, args: Fire, bound: Bound, late: Episode | None) -> Finding:
    name, unloaded = alert_name(args), _unloaded(evidence, args)
    if late is not None:
        return failed(f"{name} firing only {bound.when(late.start)} ({bound}){unloaded}.")
    if not _recorded(evidence, args, bound):
        return unknown(f"{name} was not firing when the record ended, before the {bound} was over.")
    instead = unloaded or _seen_instead(evidence, args, bound)
    return failed(f"{name} not firing {bound.when(bound.deadline)} ({bound}){instead}.")


def _delivery(
    evidence: Evidence, args: Fire, bound: Bound, episode: Episode, story: str, figures: Mapping[str, object]
) -> Finding:
    attempts = _attempts(evidence, args, episode)
    delivered = [attempt.at for attempt in attempts if attempt.delivered]
    if delivered:
        after_s = bound.after_s(delivered[0])
        figures = {**figures, "delivered_s": round(after_s, 3)}
        if delivered[0] <= bound.deadline:
            return passed(f"{story}, delivered to {args.delivered_to} at {rounded(after_s)} s ({bound}).", **figures)
        return failed(f"{story}, delivered to {args.delivered_to} only at {rounded(after_s)} s ({bound}).", **figures)
    if not _recorded(evidence, args, bound):
        return unknown(f"{story}; the record ended before the {bound} for its delivery was over.", **figures)
    if attempts:
        codes = ", ".join(sorted({str(attempt.answered) for attempt in attempts}))
        return failed(f"{story}, but {len(attempts)} attempts at {args.delivered_to} were answered {codes}.", **figures)
    instead = where_it_went(evidence, args.alert, args.labels, episode)
    return failed(f"{story}, but never delivered to {args.delivered_to} ({bound}): {instead}.", **figures)


def _active_before(evidence: Evidence, args: Fire, bound: Bound) -> str:
    """Return the name, with all labels and its state, of an alert active at the last evaluation before `begun`."""
    since = bound.begun - missed_evaluation_s(evidence, args.alert)
    for series in evidence.metrics.select("ALERTS", alertname=args.alert, **args.labels):
        if np.any((series.t > since) & (series.t < bound.begun)):
            return f"{alert_name(args, alert_labels(series))} ({series.labels.get('alertstate', 'active')})"
    return ""


def _first_episode(evidence: Evidence, args: Fire, bound: Bound) -> Episode | None:
    episodes = evidence.alerts.episodes(args.alert, args.labels)
    begun = [episode for episode in episodes if episode.start >= bound.begun]
    return min(begun, key=lambda episode: episode.start, default=None)


def _attempts(evidence: Evidence, args: Fire, episode: Episode) -> list[Notification]:
    """Return what Alertmanager sent of the alert to the named receiver, answered well or not."""
    earliest = episode.start - clock_slack_s(evidence)
    sent = [notice for notice in evidence.notifications if notice.at >= earliest]
    return [
        notice
        for notice in sent
        if notice.receiver == args.delivered_to and notice.names(args.alert, args.labels, "firing")
    ]


def _recorded(evidence: Evidence, args: Fire, bound: Bound) -> bool:
    last = evidence.alerts.last_evaluation
    return last is not None and last + missed_evaluation_s(evidence, args.alert) >= bound.deadline


def _unloaded(evidence: Evidence, args: Fire) -> str:
    """Say that no loaded rule file defines the alert; empty if one does, or if the run kept no list of rules."""
    rules = [rule for rule in evidence.run["alerts"] if rule["name"] == args.alert]
    if not evidence.run["alerts"] or any(rule["loaded"] for rule in rules):
        return ""
    sentence = f": no loaded rule file defines {args.alert}"
    if rules:
        sentence += f" ({rules[0]['file']} does, and is not loaded)"
    return sentence


def _seen_instead(evidence: Evidence, args: Fire, bound: Bound) -> str:
    """Say what was seen instead of the alert firing in time."""
    pending = evidence.metrics.select("ALERTS", alertname=args.alert, alertstate="pending", **args.labels)
    times = [at for series in pending for at in series.t[series.t >= bound.begun][:1].tolist()]
    if times:
        return f": pending from {rounded(bound.after_s(min(times)))} s on, never firing"
    others = [episode for episode in evidence.alerts.episodes(args.alert) if episode.start >= bound.begun]
    if others:
        return f": {alert_name(args, others[0].labels)} was firing, with other labels"
    return ": it was never seen, not even pending"


CHECK = Check(
    summary="The alert fires within the bound and, if a receiver is named, is delivered to it within the bound.",
    args=Fire,
    judge=judge,
    streams=("alerts",),
    more_streams=streams_for_delivery,
    window=window,
    files=("metrics/", "notifications.jsonl"),
)
