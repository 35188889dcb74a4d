"""What the checks of alerts share: names and labels, where an alert fired, and whether it paged while held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.harness.declarations.check_arguments import AlertArgs, AlertBound
from tocsin.harness.evidence.check_bounds import format_alert, rounded
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.firings_in_scope import firings, notices_while_muted, time_in_play
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.notifications import Notification
from tocsin.harness.judging.check import Finding, failed, passed, unknown
from tocsin.harness.monitoring.promql.expression import NotPromql as NotPromql
from tocsin.harness.monitoring.promql.expression import needed_metrics, parse

_OF_ALERTS = ("__name__", "alertname", "alertstate")


def watchdog_alert(evidence: Evidence) -> str:
    """Return the name of the alert that always fires, empty if the stack names none."""
    return "" if evidence.signals.watchdog is None else evidence.signals.watchdog.alert


def alert_name(args: AlertArgs, labels: Mapping[str, str] | None = None) -> str:
    """Return the alert as Prometheus writes it, with these labels, by default those of the arguments."""
    return format_alert(args.alert, args.labels if labels is None else labels)


def alert_labels(series: Series) -> dict[str, str]:
    """Return the labels that an alert has from its rule: a series of ALERTS without its name and state."""
    return {name: value for name, value in series.labels.items() if name not in _OF_ALERTS}


def metrics_read(expr: str) -> set[str]:
    """Return the metrics that a rule reads, without those inside `absent()`; NotPromql if it is not an expression."""
    return needed_metrics(parse(expr))


def firing_window(evidence: Evidence, args: AlertArgs) -> Interval:
    """Return where the arguments point, until the alert that fired there has ended."""
    return firings(evidence, args, args.alert, args.labels).reach


def streams_for_delivery(args: AlertBound) -> tuple[str, ...]:
    """Return that the notifications are needed where a receiver is named."""
    return ("notifications",) if args.delivered_to else ()


def held_back(
    evidence: Evidence, args: AlertArgs, held: Sequence[Interval], how: str, around: str = "", **figures: object
) -> Finding:
    """Return whether nobody was told while Alertmanager held an alert back; `how` it did, `around`: what else was told.

    `figures` are added to those of a pass.
    """
    name = alert_name(args)
    paged = notices_while_muted(evidence, args.alert, args.labels, held)
    if paged is None:
        longest_s = max(interval.seconds for interval in held) * evidence.speed
        return unknown(f"{name} was {how} for {rounded(longest_s)} s only, too short to show that nobody is told.")
    if paged:
        return failed(f"{name} was {how}, and yet {place(evidence, paged[0])} was told.", notices=len(paged))
    held_s = total_s(evidence, held)
    story = f"{name} was {how} for {rounded(held_s)} s and nobody was told{around}."
    return passed(story, held_s=round(held_s, 3), **figures)


def place(evidence: Evidence, notice: Notification) -> str:
    """Return where and when a message arrived: `page at 1320 s of play`."""
    return f"{notice.receiver} {time_in_play(evidence, notice.at)}"


def total_s(evidence: Evidence, intervals: Sequence[Interval]) -> float:
    """Return how long several intervals are together, production seconds."""
    return sum(interval.seconds for interval in intervals) * evidence.speed
