"""alerts/delivered: does the page reach the right people, and does it tell them what they need?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.harness.declarations.check_arguments import AlertArgs, ReceiverName
from tocsin.harness.evidence.annotation_templates import unfilled, unrendered
from tocsin.harness.evidence.firings_in_scope import firings, notices, time_in_play, where_it_went, with_next_evaluation
from tocsin.harness.evidence.notifications import Notification, NotifiedAlert
from tocsin.harness.evidence.rendered_config import tool_output
from tocsin.harness.judging.alert_check_helpers import alert_name
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown
from tocsin.harness.judging.wording import first_few

RUNBOOK = "runbook_url"
_AWAY = ("http://", "https://")


class Delivered(AlertArgs):
    """Which alert must arrive where, with which labels (others are free) and annotations; `also` may get it too."""

    to: ReceiverName
    annotations: tuple[str, ...] = ("summary", "description", RUNBOOK)
    also: tuple[ReceiverName, ...] = ()


def judge(evidence: Evidence, args: Delivered) -> Finding:
    """Look at every delivered firing notice of what began to fire there: who got it, and what it says."""
    fired = firings(evidence, args, args.alert)
    if not fired.episodes:
        return unknown(f"{args.alert} never fired, so nothing shows whom it reaches.")
    if not fired.begun:
        return unknown(f"{args.alert} was already firing, so nothing shows whom it reaches.")
    reach = Interval(start=fired.begun[0].start, end=fired.reach.end)
    delivered = notices(evidence, args.alert, {}, with_next_evaluation(evidence, reach, args.alert))
    mine = [notice for notice in delivered if notice.receiver == args.to]
    if not mine:
        instead = where_it_went(evidence, args.alert, {}, fired.begun[0])
        return failed(f"{args.alert} fired, but was never delivered to {args.to}: {instead}.")
    strangers = sorted({notice.receiver for notice in delivered} - {args.to, *args.also})
    if strangers:
        return failed(f"{args.alert} went to {args.to}, and to {', '.join(strangers)}, whom nobody named.")
    alerts = _alerts(mine, args)
    if not alerts:
        return failed(f"{args.alert} was delivered to {args.to} {_other_labels(mine, args)}.")
    return _content(evidence, args, mine, alerts)


def window(evidence: Evidence, args: Delivered) -> Interval:
    """Where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert).reach


def _content(
    evidence: Evidence, args: Delivered, delivered: Sequence[Notification], alerts: Sequence[NotifiedAlert]
) -> Finding:
    """Compare the annotations of the alerts with their templates, and their runbooks with the files of the stack."""
    files = tool_output(evidence.folder, "files.json")
    problems: list[str] = []
    for alert in alerts:
        problems += [f"it has no {name}" for name in args.annotations if not alert.annotations.get(name, "").strip()]
        problems += _unrendered(evidence, alert)
        if RUNBOOK in args.annotations:
            problems += _broken_link(alert.annotations.get(RUNBOOK, "").strip(), files)
    if problems:
        listed = first_few(problems, 1, "")
        return failed(f"{args.alert} was delivered to {args.to}, but {listed}.", problems=len(problems))
    links = [alert.annotations.get(RUNBOOK, "") for alert in alerts]
    if files is None and any(link and not link.startswith(_AWAY) for link in links):
        return unknown(f"{args.alert} was delivered, but the run kept no list of files in which to find its runbook.")
    content = f" with {', '.join(args.annotations)} rendered" if args.annotations else ""
    when = time_in_play(evidence, delivered[0].at)
    name = alert_name(args)
    return passed(f"{name} was delivered to {args.to} {when}{content}.", alerts=len(alerts))


def _alerts(delivered: Sequence[Notification], args: Delivered) -> list[NotifiedAlert]:
    """Return each alert of that name and those labels once, as first told."""
    by_fingerprint: dict[str, NotifiedAlert] = {}
    for notice in delivered:
        for alert in notice.alerts:
            named = alert.alert == args.alert and args.labels.items() <= alert.labels.items()
            if named and alert.status == "firing":
                by_fingerprint.setdefault(alert.fingerprint, alert)
    return list(by_fingerprint.values())


def _other_labels(delivered: Sequence[Notification], args: Delivered) -> str:
    labels = next(alert.labels for notice in delivered for alert in notice.alerts if alert.alert == args.alert)
    wrong = [f'{name}="{value}"' for name, value in args.labels.items() if labels.get(name) != value]
    sentence = f"without {', '.join(wrong)}"
    instead = [f'{name}="{labels[name]}"' for name in args.labels if name in labels]
    if instead:
        sentence += f"; it has {', '.join(instead)}"
    return sentence


def _unrendered(evidence: Evidence, alert: NotifiedAlert) -> Iterator[str]:
    """Yield the annotations in which a template was left as it is, or lacks what it asks for."""
    rules = evidence.configuration.alerts(alert.alert)
    for name, text in alert.annotations.items():
        trace = unrendered(text)
        problem = unfilled([rule.annotations[name] for rule in rules if name in rule.annotations], text)
        if trace:
            yield f"its {name} was not rendered, it holds `{trace}`: {text!r}"
        elif problem:
            yield f"its {name} {problem}: {text!r}"


def _broken_link(link: str, files: Sequence[str] | None) -> list[str]:
    if not link or unrendered(link):
        return []
    if link.startswith(_AWAY):
        host = link.partition("://")[2].partition("/")[0]
        if not host or set(link) & set(" <>\"'"):
            return [f"its {RUNBOOK} is no address: {link!r}"]
    elif files is not None and link.partition("#")[0].removeprefix("./") not in files:
        return [f"its {RUNBOOK} names no file of the stack folder: {link!r}"]
    return []


CHECK = Check(
    summary="The alert reaches this receiver and no other, with its labels, and with annotations that are rendered.",
    args=Delivered,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("notifications.jsonl", "config/"),
)
