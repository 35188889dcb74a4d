"""alerts/delivered: does the page reach the right people, and does it tell them what they need?"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.declarations.references import AlertName, Args, ReceiverName
from tocsin.harness.evidence.annotations import unfilled, unrendered
from tocsin.harness.evidence.check_bounds import format_alert
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings import firings, notices, time_in_play, where_it_went, with_next_evaluation
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.notifications import Notification, NotifiedAlert
from tocsin.harness.evidence.rendered_config import tool_output
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

RUNBOOK = "runbook_url"
_AWAY = ("http://", "https://")


class Delivered(Args):
    """Which alert must arrive where, with which labels (others are free) and annotations; `also` may get it too."""

    alert: AlertName
    to: ReceiverName
    labels: Mapping[str, str] = {}
    annotations: tuple[str, ...] = ("summary", "description", RUNBOOK)
    also: tuple[ReceiverName, ...] = ()


def judge(evidence: Evidence, args: Delivered) -> Finding:
    """Look at every delivered firing notice of what began to fire there: who got it, and what it says."""
    seen = firings(evidence, args, args.alert)
    if not seen.begun:
        already = "was already firing" if seen.episodes else "never fired"
        return unknown(f"{args.alert} {already}, so nothing shows whom it reaches.")
    reach = Interval(start=seen.begun[0].start, end=seen.reach.end)
    told = notices(evidence, args.alert, {}, with_next_evaluation(evidence, reach, args.alert))
    mine = [one for one in told if one.receiver == args.to]
    if not mine:
        instead = where_it_went(evidence, args.alert, {}, seen.begun[0])
        return failed(f"{args.alert} fired, but was never delivered to {args.to}: {instead}.")
    strangers = sorted({one.receiver for one in told} - {args.to, *args.also})
    if strangers:
        return failed(f"{args.alert} went to {args.to}, and to {', '.join(strangers)}, whom nobody named.")
    alerts = _alerts(mine, args)
    if not alerts:
        return failed(f"{args.alert} was delivered to {args.to} {_other_labels(mine, args)}.")
    files = tool_output(evidence.folder, "files.json")
    problems = [problem for one in alerts for problem in _problems(evidence, args, one, files)]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return failed(f"{args.alert} was delivered to {args.to}, but {problems[0]}{more}.", problems=len(problems))
    if files is None and any(_inside(one.annotations.get(RUNBOOK, "")) for one in alerts):
        return unknown(f"{args.alert} was delivered, but the run kept no list of files in which to find its runbook.")
    what = f" with {', '.join(args.annotations)} rendered" if args.annotations else ""
    name = format_alert(args.alert, args.labels)
    return passed(f"{name} was delivered to {args.to} {time_in_play(evidence, mine[0].at)}{what}.", alerts=len(alerts))


def window(evidence: Evidence, args: Delivered) -> Interval:
    """Where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert).reach


def _alerts(told: list[Notification], args: Delivered) -> list[NotifiedAlert]:
    """Return each alert of that name and those labels once, as first told."""
    found: dict[str, NotifiedAlert] = {}
    for one in (one for notice in told for one in notice.alerts):
        if one.alert == args.alert and one.status == "firing" and args.labels.items() <= one.labels.items():
            found.setdefault(one.fingerprint, one)
    return list(found.values())


def _other_labels(told: list[Notification], args: Delivered) -> str:
    had = next(one for notice in told for one in notice.alerts if one.alert == args.alert)
    wrong = [f'{name}="{value}"' for name, value in args.labels.items() if had.labels.get(name) != value]
    instead = [f'{name}="{had.labels[name]}"' for name in args.labels if name in had.labels]
    has = f"; it has {', '.join(instead)}" if instead else ""
    return f"without {', '.join(wrong)}{has}"


def _problems(evidence: Evidence, args: Delivered, one: NotifiedAlert, files: list[str] | None) -> list[str]:
    missing = [f"it has no {name}" for name in args.annotations if not one.annotations.get(name, "").strip()]
    rules = evidence.configuration.alerts(one.alert)
    found = []
    for name, text in one.annotations.items():
        templates = [rule.annotations[name] for rule in rules if name in rule.annotations]
        if trace := unrendered(text):
            found.append(f"its {name} was not rendered, it holds `{trace}`: {text!r}")
        elif problem := unfilled(templates, text):
            found.append(f"its {name} {problem}: {text!r}")
    link = one.annotations.get(RUNBOOK, "").strip()
    if link and RUNBOOK in args.annotations and not unrendered(link):
        found += _broken_link(link, files)
    return missing + found


def _broken_link(link: str, files: list[str] | None) -> list[str]:
    if link.startswith(_AWAY):
        host = link.partition("://")[2].partition("/")[0]
        return [] if host and not set(link) & set(" <>\"'") else [f"its {RUNBOOK} is no address: {link!r}"]
    place = link.partition("#")[0].removeprefix("./")
    return [] if files is None or place in files else [f"its {RUNBOOK} names no file of the stack folder: {link!r}"]


def _inside(link: str) -> bool:
    return bool(link) and not link.startswith(_AWAY)


CHECK = Check(
    id="alerts/delivered",
    summary="The alert reaches this receiver and no other, with its labels, and with annotations that are rendered.",
    args=Delivered,
    judge=judge,
    streams=("alerts", "notifications"),
    window=window,
    files=("notifications.jsonl", "config/"),
)
