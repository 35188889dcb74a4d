"""alerts/fire: does the alert fire in time, and does it reach whom it should?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tocsin.harness.declarations.alert_plan import Fire
from tocsin.harness.evidence.alerts import Episode
from tocsin.harness.evidence.check_bounds import (
    Bound,
    clock_slack_s,
    format_alert,
    missed_evaluation_s,
    onset_bound,
    rounded,
)
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import where_it_went
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


def judge(evidence: Evidence, args: Fire) -> Finding:
    """Compare the first firing sample, or the first delivery answered 2xx, with the bound."""
    bound = onset_bound(evidence, args)
    name = format_alert(args.alert, args.labels)
    early = _active_before(evidence, args, bound)
    if early:
        return unknown(f"{early} was already active when {_place(args)} began, so nothing shows what set it off.")
    fired = _fired(evidence, args, bound)
    if fired is None or fired.start > bound.deadline:
        if fired is None and not _recorded(evidence, args, bound):
            return unknown(f"{name} was not firing when the record ended, before the {bound} was over.")
        late = f"firing only {bound.when(fired.start)}" if fired else f"not firing {bound.when(bound.deadline)}"
        return failed(f"{name} {late} ({bound}){_instead(evidence, args, bound, fired)}.")
    story = f"{name} firing {bound.when(fired.start)}"
    figures = {
        "firing_s": round(bound.after_s(fired.start), 3),
        "bound_s": bound.total_s,
        "fixed_s": dict(bound.fixed_s),
    }
    if args.delivered_to is None:
        return passed(f"{story} ({bound}).", **figures)
    return _delivery(evidence, args, bound, fired, story, figures)


def window(evidence: Evidence, args: Fire) -> Interval:
    """From where nothing may be active yet to the answer: the firing or the delivery, else the end of the bound."""
    bound = onset_bound(evidence, args)
    fired = _fired(evidence, args, bound)
    at: float | None = fired.start if fired else None
    if fired and args.delivered_to is not None:
        told = [one.at for one in _attempts(evidence, args, fired) if one.delivered]
        at = told[0] if told else None
    return Interval(start=bound.begun, end=min(at if at is not None else bound.deadline, bound.deadline))


def _delivery(
    evidence: Evidence, args: Fire, bound: Bound, fired: Episode, story: str, figures: Mapping[str, object]
) -> Finding:
    attempts = _attempts(evidence, args, fired)
    told = [one for one in attempts if one.delivered]
    if told:
        after_s = bound.after_s(told[0].at)
        answer = passed if told[0].at <= bound.deadline else failed
        late = "" if told[0].at <= bound.deadline else "only "
        text = f"{story}, delivered to {args.delivered_to} {late}at {rounded(after_s)} s ({bound})."
        return answer(text, **figures, delivered_s=round(after_s, 3))
    if not _recorded(evidence, args, bound):
        return unknown(f"{story}; the record ended before the {bound} for its delivery was over.", **figures)
    if attempts:
        codes = ", ".join(sorted({str(one.answered) for one in attempts}))
        return failed(f"{story}, but {len(attempts)} attempts at {args.delivered_to} were answered {codes}.", **figures)
    instead = where_it_went(evidence, args.alert, args.labels, fired)
    return failed(f"{story}, but never delivered to {args.delivered_to} ({bound}): {instead}.", **figures)


def _active_before(evidence: Evidence, args: Fire, bound: Bound) -> str:
    """Return the name, with all labels and its state, of an alert active at the last evaluation before `begun`."""
    since = bound.begun - missed_evaluation_s(evidence, args.alert)
    for series in evidence.metrics.select("ALERTS", alertname=args.alert, **args.labels):
        if np.any((series.t > since) & (series.t < bound.begun)):
            labels = {k: v for k, v in series.labels.items() if k not in ("__name__", "alertname", "alertstate")}
            return f"{format_alert(args.alert, labels)} ({series.labels.get('alertstate', 'active')})"
    return ""


def _fired(evidence: Evidence, args: Fire, bound: Bound) -> Episode | None:
    episodes = [one for one in evidence.alerts.episodes(args.alert, args.labels) if one.start is not None]
    return min((one for one in episodes if one.start >= bound.begun), key=lambda one: one.start, default=None)


def _attempts(evidence: Evidence, args: Fire, fired: Episode) -> list[Notification]:
    earliest = fired.start - clock_slack_s(evidence)
    return [
        one
        for one in evidence.notifications
        if one.receiver == args.delivered_to and one.at >= earliest and one.names(args.alert, args.labels, "firing")
    ]


def _recorded(evidence: Evidence, args: Fire, bound: Bound) -> bool:
    last = evidence.alerts.last_evaluation
    return last is not None and last + missed_evaluation_s(evidence, args.alert) >= bound.deadline


def _instead(evidence: Evidence, args: Fire, bound: Bound, fired: Episode | None) -> str:
    """Say what was seen instead of the alert firing in time."""
    rules = [rule for rule in evidence.run["alerts"] if rule["name"] == args.alert]
    if evidence.run["alerts"] and not any(rule["loaded"] for rule in rules):
        where = f" ({rules[0]['file']} does, and is not loaded)" if rules else ""
        return f": no loaded rule file defines {args.alert}{where}"
    if fired is not None:
        return ""
    pending = evidence.metrics.select("ALERTS", alertname=args.alert, alertstate="pending", **args.labels)
    since = [float(one.t[one.t >= bound.begun][0]) for one in pending if np.any(one.t >= bound.begun)]
    if since:
        return f": pending from {rounded(bound.after_s(min(since)))} s on, never firing"
    others = [one for one in evidence.alerts.episodes(args.alert) if one.start >= bound.begun]
    if others:
        return f": {format_alert(args.alert, others[0].labels)} was firing, with other labels"
    return ": it was never seen, not even pending"


def _place(args: Fire) -> str:
    return args.during or args.phase or "play"


CHECK = Check(
    id="alerts/fire",
    summary="The alert fires within the bound and, if a receiver is named, is delivered to it within the bound.",
    args=Fire,
    judge=judge,
    streams=("alerts",),
    more_streams=lambda args: ("notifications",) if args.delivered_to else (),
    window=window,
    files=("metrics/", "notifications.jsonl"),
)
