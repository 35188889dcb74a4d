"""alerts/inhibited: does the alert of the cause keep its symptoms from paging?"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.declarations.references import AlertName, Args
from tocsin.harness.evidence.check_bounds import format_alert, rounded
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import firings, notices, notices_while_muted, time_in_play, where_it_went
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


class Inhibited(Args):
    """The symptom (name and labels, others are free) and, in `by`, the alert that must hold it back."""

    alert: AlertName
    labels: Mapping[str, str] = {}
    by: AlertName


def judge(evidence: Evidence, args: Inhibited) -> Finding:
    """It fired, Alertmanager held it back and named the other alert, and nobody was told while it was held."""
    seen = firings(evidence, args, args.alert, args.labels)
    name = format_alert(args.alert, args.labels)
    if not seen.episodes:
        return unknown(f"{name} never fired, so there was nothing to inhibit.")
    free = [one for one in seen.episodes if not one.inhibited]
    if free:
        instead = where_it_went(evidence, args.alert, free[0].labels, free[0])
        return failed(f"{format_alert(args.alert, free[0].labels)} fired and was not inhibited: {instead}.")
    sources = {source for one in seen.episodes for source in one.inhibited_by}
    if args.by not in sources:
        return failed(f"{name} was inhibited by {', '.join(sorted(sources)) or 'nobody named'}, not by {args.by}.")
    held = [when for one in seen.episodes for when in one.inhibited]
    told = notices_while_muted(evidence, args.alert, args.labels, held)
    if told is None:
        longest_s = max(when.seconds for when in held) * evidence.speed
        return unknown(
            f"{name} was inhibited by {args.by} for {rounded(longest_s)} s only, too short to show that nobody is told."
        )
    if told:
        where = f"{told[0].receiver} {time_in_play(evidence, told[0].at)}"
        return failed(f"{name} was inhibited by {args.by}, and yet {where} was told.", notices=len(told))
    held_s = sum(when.seconds for when in held) * evidence.speed
    free_s = sum((one.end or seen.reach.end) - one.start for one in seen.episodes) * evidence.speed - held_s
    outside = notices(evidence, args.alert, args.labels, seen.reach)
    notices_told = "1 notice" if len(outside) == 1 else f"{len(outside)} notices"
    around = f"; {notices_told} while it was not" if outside else ""
    return passed(
        f"{name} was inhibited by {args.by} for {rounded(held_s)} s and nobody was told{around}.",
        held_s=round(held_s, 3),
        free_s=round(free_s, 3),
    )


def window(evidence: Evidence, args: Inhibited) -> Interval:
    """Where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert, args.labels).reach


CHECK = Check(
    id="alerts/inhibited",
    summary="The alert fires, Alertmanager holds it back because of the named one, and nobody is told meanwhile.",
    args=Inhibited,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("alerts.jsonl", "notifications.jsonl"),
)
