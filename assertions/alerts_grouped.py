"""alerts/grouped: are alerts that belong together one page?"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from tocsin.harness.declarations.references import AlertName, Args, ReceiverName
from tocsin.harness.evidence.check_bounds import format_alert
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import Firings, firings, notices, with_next_evaluation
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


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
        return self.alerts or ((self.alert,) if self.alert else ())


Told = Mapping[str, list[Notification]]
"""Alert in words -> the messages that held it as firing."""


def judge(evidence: Evidence, args: Grouped) -> Finding:
    """Find the messages of each alert that began to fire there; they must be few, and of one group."""
    seen = {name: firings(evidence, args, name) for name in args.names}
    silent = [name for name, one in seen.items() if not one.begun]
    if silent:
        return unknown(f"{', '.join(silent)} did not begin to fire there, so there was nothing to group.")
    if args.alert is not None and len({frozenset(one.labels.items()) for one in seen[args.alert].begun}) < 2:
        return unknown(f"Only one {args.alert} fired, so there was nothing to group.")
    told = _told(evidence, args, seen)
    lost = [name for name, messages in told.items() if not messages]
    if lost:
        whom = f" to {args.to}" if args.to else ""
        return failed(f"{', '.join(lost)} fired, but was never delivered{whom}, grouped or not.")
    return _one_group(args, told)


def window(evidence: Evidence, args: Grouped) -> Interval:
    """Where the arguments point, until the last of the alerts that fired there has ended."""
    reaches = [firings(evidence, args, name).reach for name in args.names]
    return Interval(start=reaches[0].start, end=max(one.end for one in reaches))


def _told(evidence: Evidence, args: Grouped, seen: Mapping[str, Firings]) -> Told:
    found = {}
    for name, fired in seen.items():
        reach = with_next_evaluation(evidence, Interval(start=fired.begun[0].start, end=fired.reach.end), name)
        for episode in fired.begun:
            labels = episode.labels if args.alert else {}
            messages = notices(evidence, name, labels, reach, receiver=args.to)
            found[format_alert(name, labels)] = messages
    return found


def _one_group(args: Grouped, told: Told) -> Finding:
    groups = {one.group for messages in told.values() for one in messages}
    wrong = [one for messages in told.values() for one in messages if args.by and set(one.group_labels) != set(args.by)]
    if wrong:
        has = ", ".join(sorted(wrong[0].group_labels)) or "nothing"
        return failed(f"{wrong[0].receiver} was told in a group by {has}, not by {', '.join(args.by)}.")
    if len(groups) > 1:
        where = "; ".join(
            f"{name} at {', '.join(sorted({one.receiver for one in messages}))}" for name, messages in told.items()
        )
        return failed(f"{len(told)} alerts arrived in {len(groups)} groups, not in one: {where}.", groups=len(groups))
    first = {id(messages[0]): messages[0] for messages in told.values()}
    if len(first) > args.at_most:
        late = [name for name, messages in told.items() if messages[0].at > min(one.at for one in first.values())]
        return failed(
            f"{len(told)} alerts took {len(first)} notices, at most {args.at_most}: {', '.join(late)} came later.",
            notices=len(first),
        )
    (receiver, _), *_ = groups
    count = "one notice" if len(first) == 1 else f"{len(first)} notices"
    return passed(f"{len(told)} alerts arrived in {count} of one group at {receiver}.", notices=len(first))


CHECK = Check(
    id="alerts/grouped",
    summary="Alerts that fire together arrive in one group, told at once.",
    args=Grouped,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("notifications.jsonl", "metrics/"),
)
