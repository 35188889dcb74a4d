"""alerts/muted: does a silence, or a mute time, keep an alert from paging?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tocsin.harness.declarations.references import AlertName, Args
from tocsin.harness.evidence.check_bounds import format_alert, rounded
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import (
    Firings,
    firings,
    notices,
    notices_while_muted,
    time_in_play,
    where_it_went,
    with_next_evaluation,
)
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


class Muted(Args):
    """The alert (name and labels, others are free), and what must keep it back."""

    alert: AlertName
    labels: Mapping[str, str] = {}
    by: Literal["silence", "mute_time"] = "silence"


def judge(evidence: Evidence, args: Muted) -> Finding:
    """It fired, was kept back, and nobody was told meanwhile."""
    seen = firings(evidence, args, args.alert, args.labels)
    if not seen.episodes:
        return unknown(f"{format_alert(args.alert, args.labels)} never fired, so there was nothing to mute.")
    return _mute_time(evidence, args, seen) if args.by == "mute_time" else _silence(evidence, args, seen)


def window(evidence: Evidence, args: Muted) -> Interval:
    """Where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert, args.labels).reach


def _silence(evidence: Evidence, args: Muted, seen: Firings) -> Finding:
    name = format_alert(args.alert, args.labels)
    loud = [one for one in seen.episodes if not one.silenced]
    if loud:
        instead = where_it_went(evidence, args.alert, loud[0].labels, loud[0])
        return failed(f"{format_alert(args.alert, loud[0].labels)} fired and was not silenced: {instead}.")
    held = [when for one in seen.episodes for when in one.silenced]
    told = notices_while_muted(evidence, args.alert, args.labels, held)
    if told is None:
        longest_s = max(when.seconds for when in held) * evidence.speed
        return unknown(f"{name} was silenced for {rounded(longest_s)} s only, too short to show that nobody is told.")
    if told:
        where = f"{told[0].receiver} {time_in_play(evidence, told[0].at)}"
        return failed(f"{name} was silenced, and yet {where} was told.", notices=len(told))
    held_s = sum(when.seconds for when in held) * evidence.speed
    return passed(f"{name} was silenced for {rounded(held_s)} s and nobody was told.", held_s=round(held_s, 3))


def _mute_time(evidence: Evidence, args: Muted, seen: Firings) -> Finding:
    """Alertmanager does not tell which alerts a mute time holds: that nobody is told must show it."""
    name = format_alert(args.alert, args.labels)
    if not any(_muting(evidence.configuration.alertmanager.get("route") or {})):
        return failed(f"{name} cannot be muted: no route of Alertmanager names a mute time.")
    told = notices(evidence, args.alert, args.labels, with_next_evaluation(evidence, seen.place, args.alert))
    if told:
        where = f"{told[0].receiver} {time_in_play(evidence, told[0].at)}"
        return failed(f"{name} was not muted: {where} was told.", notices=len(told))
    held = [one for one in seen.episodes if one.inhibited or one.silenced]
    if held:
        return unknown(f"{name} was also inhibited or silenced, so nothing shows what the mute time did.")
    until = min(seen.place.end, max(one.end if one.end is not None else seen.reach.end for one in seen.episodes))
    fired_s = (until - max(seen.episodes[0].start, seen.place.start)) * evidence.speed
    due_s = float(evidence.run["group_interval_s"])
    if fired_s < due_s:
        return unknown(f"{name} fired for {rounded(fired_s)} s only, and a notice may take {rounded(due_s)} s.")
    return passed(
        f"{name} fired for {rounded(fired_s)} s in its mute time and nobody was told.", fired_s=round(fired_s, 3)
    )


def _muting(route: Mapping[str, Any]) -> Iterator[bool]:
    yield bool(route.get("mute_time_intervals") or route.get("active_time_intervals"))
    for child in route.get("routes") or ():
        yield from _muting(child)


CHECK = Check(
    id="alerts/muted",
    summary="The alert fires, a silence or a mute time keeps it back, and nobody is told meanwhile.",
    args=Muted,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("alerts.jsonl", "notifications.jsonl"),
)
