"""alerts/once: is one incident one page?"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.declarations.references import AlertName, Args, ReceiverName
from tocsin.harness.evidence.check_bounds import format_alert, rounded
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import firings, notices, with_next_evaluation
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


class Once(Args):
    """Which alert, how many firing notices each of its groups may send, and to whom (None: to anybody)."""

    alert: AlertName
    labels: Mapping[str, str] = {}
    at_most: int = Field(default=1, ge=1)
    to: ReceiverName | None = None


def judge(evidence: Evidence, args: Once) -> Finding:
    """Count, per group, the messages that say that the alert fires, from its cause until it ended."""
    seen = firings(evidence, args, args.alert, args.labels)
    name = format_alert(args.alert, args.labels)
    if not seen.episodes:
        return unknown(f"{name} never fired, so nothing shows how often it pages.")
    reach = with_next_evaluation(evidence, seen.reach, args.alert)
    groups = _pages(args, notices(evidence, args.alert, args.labels, reach, receiver=args.to))
    if not groups:
        return unknown(f"{name} fired, but no notice of it was delivered, so nothing shows how often it pages.")
    counts = {group: len(told) for group, told in groups.items()}
    figures = {"most": max(counts.values()), "groups": len(counts), "episodes": len(seen.episodes)}
    over = {group: told for group, told in groups.items() if len(told) > args.at_most}
    if over:
        told = "; ".join(_sentence(evidence, group[0], ones) for group, ones in sorted(over.items()))
        flaps = f" It fired {len(seen.episodes)} times." if len(seen.episodes) > 1 else ""
        return failed(f"{name} paged more than {_times(args.at_most)}: {told}.{flaps}", **figures)
    where = ", ".join(sorted({receiver for receiver, _ in counts}))
    return passed(f"{name} paged at most {_times(max(counts.values()))} per group ({where}).", **figures)


def window(evidence: Evidence, args: Once) -> Interval:
    """Where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert, args.labels).reach


def _pages(args: Once, told: list[Notification]) -> dict[tuple[str, str], list[Notification]]:
    """Return group -> its messages about this alert, without those sent only because of others of the group.

    Such a message tells of one that ended or has just joined. One that tells of nothing new is a repetition.
    """
    groups: dict[tuple[str, str], list[Notification]] = {}
    known: set[tuple[object, ...]] = set()
    for notice in told:
        ended = any(one.status == "resolved" for one in notice.alerts)
        firing = {
            (notice.group, one.fingerprint, one.starts_at): one for one in notice.alerts if one.status == "firing"
        }
        fresh = {key: one for key, one in firing.items() if key not in known}
        mine = any(one.alert == args.alert and args.labels.items() <= one.labels.items() for one in fresh.values())
        if mine or not (ended or fresh):
            groups.setdefault(notice.group, []).append(notice)
        known |= firing.keys()
    return groups


def _sentence(evidence: Evidence, receiver: str, told: list[Notification]) -> str:
    start = evidence.play.start if evidence.play else told[0].at
    times = [rounded((one.at - start) * evidence.speed) for one in told[:3]]
    more = f" and {len(told) - 3} times more" if len(told) > 3 else ""
    return f"{receiver} {_times(len(told))}, at {', '.join(times)} s of play{more}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


CHECK = Check(
    id="alerts/once",
    summary="Each group of the alert sends at most so many firing notices for one incident.",
    args=Once,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("notifications.jsonl", "metrics/"),
)
