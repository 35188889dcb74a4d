"""alerts/muted: does a silence, or a mute time, keep an alert from paging?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tocsin.harness.declarations.check_arguments import AlertArgs
from tocsin.harness.evidence.check_bounds import rounded
from tocsin.harness.evidence.firings_in_scope import Firings, firings, notices, where_it_went, with_next_evaluation
from tocsin.harness.judging.alert_check_helpers import alert_name, firing_window, held_back, place
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown


class Muted(AlertArgs):
    """The alert (name and labels, others are free), and what must keep it back."""

    by: Literal["silence", "mute_time"] = "silence"


def judge(evidence: Evidence, args: Muted) -> Finding:
    """It fired, was kept back, and nobody was told meanwhile."""
    fired = firings(evidence, args, args.alert, args.labels)
    if not fired.episodes:
        return unknown(f"{alert_name(args)} never fired, so there was nothing to mute.")
    if args.by == "mute_time":
        return _mute_time(evidence, args, fired)
    loud = [episode for episode in fired.episodes if not episode.silenced]
    if loud:
        instead = where_it_went(evidence, args.alert, loud[0].labels, loud[0])
        return failed(f"{alert_name(args, loud[0].labels)} fired and was not silenced: {instead}.")
    held = [interval for episode in fired.episodes for interval in episode.silenced]
    return held_back(evidence, args, held, "silenced")


def _mute_time(evidence: Evidence, args: Muted, fired: Firings) -> Finding:
    """Alertmanager does not tell which alerts a mute time holds: that nobody is told must show it."""
    name, scope = alert_name(args), fired.place
    if not _mutes(evidence.configuration.alertmanager.get("route") or {}):
        return failed(f"{name} cannot be muted: no route of Alertmanager names a mute time.")
    paged = notices(evidence, args.alert, args.labels, with_next_evaluation(evidence, scope, args.alert))
    if paged:
        return failed(f"{name} was not muted: {place(evidence, paged[0])} was told.", notices=len(paged))
    if any(episode.inhibited or episode.silenced for episode in fired.episodes):
        return unknown(f"{name} was also inhibited or silenced, so nothing shows what the mute time did.")
    until = min(scope.end, max(episode.end or fired.reach.end for episode in fired.episodes))
    fired_s = (until - max(fired.episodes[0].start, scope.start)) * evidence.speed
    due_s = float(evidence.run["group_interval_s"])
    if fired_s < due_s:
        return unknown(f"{name} fired for {rounded(fired_s)} s only, and a notice may take {rounded(due_s)} s.")
    story = f"{name} fired for {rounded(fired_s)} s in its mute time and nobody was told."
    return passed(story, fired_s=round(fired_s, 3))


def _mutes(route: Mapping[str, Any]) -> bool:
    """Tell whether a route, or one below it, names a mute time."""
    if route.get("mute_time_intervals") or route.get("active_time_intervals"):
        return True
    return any(_mutes(child) for child in route.get("routes") or ())


CHECK = Check(
    summary="The alert fires, a silence or a mute time keeps it back, and nobody is told meanwhile.",
    args=Muted,
    judge=judge,
    streams=("alerts", "notifications"),
    window=firing_window,
    files=("alerts.jsonl", "notifications.jsonl"),
)
