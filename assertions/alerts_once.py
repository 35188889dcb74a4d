"""alerts/once: is one incident one page?"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from tocsin.harness.declarations.check_arguments import AlertArgs, ReceiverName
from tocsin.harness.evidence.check_bounds import phase_interval, rounded
from tocsin.harness.evidence.firings_in_scope import firings, notices, with_next_evaluation
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.alert_check_helpers import alert_name, firing_window
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown
from tocsin.harness.judging.wording import times


class Once(AlertArgs):
    """Which alert, how many firing notices each of its groups may send, and to whom (None: to anybody)."""

    at_most: int = Field(default=1, ge=1)
    to: ReceiverName | None = None


def judge(evidence: Evidence, args: Once) -> Finding:
    """Count, per group, the messages that say that the alert fires, from its cause until it ended."""
    fired = firings(evidence, args, args.alert, args.labels)
    name = alert_name(args)
    if not fired.episodes:
        return unknown(f"{name} never fired, so nothing shows how often it pages.")
    reach = with_next_evaluation(evidence, fired.reach, args.alert)
    pages = _pages(args, notices(evidence, args.alert, args.labels, reach, receiver=args.to))
    if not pages:
        return unknown(f"{name} fired, but no notice of it was delivered, so nothing shows how often it pages.")
    most = max(map(len, pages.values()))
    figures = {"most": most, "groups": len(pages), "episodes": len(fired.episodes)}
    over = sorted((group, messages) for group, messages in pages.items() if len(messages) > args.at_most)
    if over:
        story = f"{name} paged more than {times(args.at_most)}: "
        story += "; ".join(_sentence(evidence, receiver, messages) for (receiver, _), messages in over) + "."
        if len(fired.episodes) > 1:
            story += f" It fired {len(fired.episodes)} times."
        return failed(story, **figures)
    where = ", ".join(sorted({receiver for receiver, _ in pages}))
    return passed(f"{name} paged at most {times(most)} per group ({where}).", **figures)


def _pages(args: Once, messages: Sequence[Notification]) -> dict[tuple[str, str], list[Notification]]:
    """Return group -> its messages about this alert, without those sent only because of others of the group.

    Such a message tells of one that ended or has just joined. One that tells of nothing new is a repetition.
    """
    pages: dict[tuple[str, str], list[Notification]] = {}
    known: set[tuple[object, ...]] = set()
    for message in messages:
        ended = any(alert.status == "resolved" for alert in message.alerts)
        firing = [alert for alert in message.alerts if alert.status == "firing"]
        keys = {(message.group, alert.fingerprint, alert.starts_at): alert for alert in firing}
        fresh = [alert for key, alert in keys.items() if key not in known]
        mine = any(alert.alert == args.alert and args.labels.items() <= alert.labels.items() for alert in fresh)
        if mine or not (ended or fresh):
            pages.setdefault(message.group, []).append(message)
        known |= keys.keys()
    return pages


def _sentence(evidence: Evidence, receiver: str, messages: Sequence[Notification]) -> str:
    start = phase_interval(evidence, None).start
    moments = ", ".join(rounded((message.at - start) * evidence.speed) for message in messages[:3])
    sentence = f"{receiver} {times(len(messages))}, at {moments} s of play"
    if len(messages) > 3:
        sentence += f" and {len(messages) - 3} times more"
    return sentence


CHECK = Check(
    summary="Each group of the alert sends at most so many firing notices for one incident.",
    args=Once,
    judge=judge,
    streams=("alerts", "notifications"),
    window=firing_window,
    files=("notifications.jsonl", "metrics/"),
)
