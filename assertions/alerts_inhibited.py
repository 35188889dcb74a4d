"""alerts/inhibited: does the alert of the cause keep its symptoms from paging?"""

from __future__ import annotations

from tocsin.harness.declarations.check_arguments import AlertArgs, AlertName
from tocsin.harness.evidence.firings_in_scope import Firings, firings, notices, where_it_went
from tocsin.harness.judging.alert_check_helpers import alert_name, firing_window, held_back, total_s
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, unknown
from tocsin.harness.judging.wording import plural


class Inhibited(AlertArgs):
    """The symptom (name and labels, others are free) and, in `by`, the alert that must hold it back."""

    by: AlertName


def judge(evidence: Evidence, args: Inhibited) -> Finding:
    """It fired, Alertmanager held it back and named the other alert, and nobody was told while it was held."""
    fired = firings(evidence, args, args.alert, args.labels)
    name = alert_name(args)
    if not fired.episodes:
        return unknown(f"{name} never fired, so there was nothing to inhibit.")
    free = [episode for episode in fired.episodes if not episode.inhibited]
    if free:
        instead = where_it_went(evidence, args.alert, free[0].labels, free[0])
        return failed(f"{alert_name(args, free[0].labels)} fired and was not inhibited: {instead}.")
    sources = {source for episode in fired.episodes for source in episode.inhibited_by}
    if args.by not in sources:
        return failed(f"{name} was inhibited by {', '.join(sorted(sources)) or 'nobody named'}, not by {args.by}.")
    return _while_held(evidence, args, fired)


def _while_held(evidence: Evidence, args: Inhibited, fired: Firings) -> Finding:
    held = [interval for episode in fired.episodes for interval in episode.inhibited]
    whole = [Interval(start=one.start, end=one.end or fired.reach.end) for one in fired.episodes]
    free_s = total_s(evidence, whole) - total_s(evidence, held)
    around = ""
    outside = notices(evidence, args.alert, args.labels, fired.reach)
    if outside:
        around = f"; {plural(len(outside), 'notice')} while it was not"
    return held_back(evidence, args, held, f"inhibited by {args.by}", around, free_s=round(free_s, 3))


CHECK = Check(
    summary="The alert fires, Alertmanager holds it back because of the named one, and nobody is told meanwhile.",
    args=Inhibited,
    judge=judge,
    streams=("alerts", "notifications"),
    window=firing_window,
    files=("alerts.jsonl", "notifications.jsonl"),
)
