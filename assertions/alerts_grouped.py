"""alerts/grouped: are alerts that belong together one page?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from tocsin.harness.declarations.check_arguments import AlertName, Args, ReceiverName
from tocsin.harness.evidence.check_bounds import format_alert
from tocsin.harness.evidence.firings_in_scope import Firings, firings, notices, with_next_evaluation
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown


class Grouped(Args):
    """Several alerts, or all that fire of one; the labels their group has; how many firing notices it may send."""

    alerts: tuple[AlertName, ...] = ()
    alert: AlertName | None = None
    by: tuple[str, ...] = ()
    to: ReceiverName | None = None
    at_most: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _one_way(self) -> Grouped:
        if (self.alert is None) == (not self.alerts) or len(self.alerts) == 1:
            raise ValueError("either `alerts` with at least two names, or `alert` with one")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names, given either way."""
        return (self.alert,) if self.alert is not None else self.alerts


Messages = Mapping[str, Sequence[Notification]]
"""Alert in words -> the messages that held it as firing."""


def judge(evidence: Evidence, args: Grouped) -> Finding:
    """Find the messages of each alert that began to fire there; they must be few, and of one group."""
    fired = {name: firings(evidence, args, name) for name in args.names}
    silent = [name for name, of_name in fired.items() if not of_name.begun]
    if silent:
        return unknown(f"{', '.join(silent)} did not begin to fire there, so there was nothing to group.")
    if args.alert is not None and len({frozenset(one.labels.items()) for one in fired[args.alert].begun}) < 2:
        return unknown(f"Only one {args.alert} fired, so there was nothing to group.")
    messages = _messages(evidence, args, fired)
    lost = [name for name, of_name in messages.items() if not of_name]
    if lost:
        receiver = f" to {args.to}" if args.to else ""
        return failed(f"{', '.join(lost)} fired, but was never delivered{receiver}, grouped or not.")
    return _one_group(args, messages)


def window(evidence: Evidence, args: Grouped) -> Interval:
    """Where the arguments point, until the last of the alerts that fired there has ended."""
    reaches = [firings(evidence, args, name).reach for name in args.names]
    return Interval(start=reaches[0].start, end=max(reach.end for reach in reaches))


def _messages(evidence: Evidence, args: Grouped, fired: Mapping[str, Firings]) -> Messages:
    messages = {}
    for name, of_name in fired.items():
        reach = Interval(start=of_name.begun[0].start, end=of_name.reach.end)
        reach = with_next_evaluation(evidence, reach, name)
        for episode in of_name.begun:
            labels: Mapping[str, str] = {}
            if args.alert is not None:
                labels = episode.labels
            messages[format_alert(name, labels)] = notices(evidence, name, labels, reach, receiver=args.to)
    return messages


def _one_group(args: Grouped, messages: Messages) -> Finding:
    count = len(messages)
    sent = [message for of_alert in messages.values() for message in of_alert]
    wrong = [message for message in sent if args.by and set(message.group_labels) != set(args.by)]
    if wrong:
        has = ", ".join(sorted(wrong[0].group_labels)) or "nothing"
        return failed(f"{wrong[0].receiver} was told in a group by {has}, not by {', '.join(args.by)}.")
    groups = {message.group for message in sent}
    if len(groups) > 1:
        receivers = {name: sorted({message.receiver for message in of_alert}) for name, of_alert in messages.items()}
        where = "; ".join(f"{name} at {', '.join(names)}" for name, names in receivers.items())
        return failed(f"{count} alerts arrived in {len(groups)} groups, not in one: {where}.", groups=len(groups))
    firsts = {id(of_alert[0]): of_alert[0] for of_alert in messages.values()}
    if len(firsts) > args.at_most:
        first_at = min(message.at for message in firsts.values())
        late = ", ".join(name for name, of_alert in messages.items() if of_alert[0].at > first_at)
        story = f"{count} alerts took {len(firsts)} notices, at most {args.at_most}: {late} came later."
        return failed(story, notices=len(firsts))
    notices_sent = f"{len(firsts)} notices" if len(firsts) > 1 else "one notice"
    story = f"{count} alerts arrived in {notices_sent} of one group at {sent[0].receiver}."
    return passed(story, notices=len(firsts))


CHECK = Check(
    summary="Alerts that fire together arrive in one group, told at once.",
    args=Grouped,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("notifications.jsonl", "metrics/"),
)
