"""Detection, stage by stage: how the time from a fault to a page was spent, and the way back. Pure in the evidence.

    effective   the fault's witness first saw it; for a shift of the traffic, its phase began
    sampled     the first scrape after that which brought a bad sample of what the expression reads: a series that had
                stood still changed. When all of them moved anyway, the first scrape after the effect: not sooner
    true        the first evaluation at which the expression held
    pending     the same evaluation, if the rule waits
    firing      the first evaluation at which the alert fired
    received    Alertmanager held it
    notified    a receiver was told and answered 2xx

and back: healed (the witness saw it gone; the phase ended), sampled, false, ended (in ALERTS), left (Alertmanager),
notified (of the end). A stage that cannot be told has no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.harness.evidence.alert_causes import Cause, cause_of, expected_alerts, named_cause
from tocsin.harness.evidence.alerts import Episode
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.first_changes import first_change
from tocsin.harness.evidence.notifications import read_lines
from tocsin.harness.evidence.original_rules import recording_rules
from tocsin.harness.evidence.rule_windows import ShortHistory, short_history

POLL_S = 0.5
"""Wall seconds between two looks at what Alertmanager holds."""
ONSET = ("effective", "sampled", "true", "pending", "firing", "received", "notified")
RELIEF = ("healed", "sampled", "false", "ended", "left", "notified")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: epoch seconds, None if it cannot be told or never came. It came at most `resolution_s` earlier.

    `resolution_s` is in production seconds. `note` says what the time rests on, where that is not the usual thing.
    """

    name: str
    at: float | None
    resolution_s: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How one alert was detected, or was not. `cause` is a fault or a phase, empty if nothing explains it.

    `bound_s` is the `within` that the drill asks, production seconds, None if it asks nothing.
    """

    alert: str
    labels: Mapping[str, str]
    cause: str
    speed: float
    onset: tuple[Stage, ...]
    relief: tuple[Stage, ...]
    bound_s: float | None = None
    short_history: ShortHistory | None = None

    @property
    def total_s(self) -> float | None:
        """Production seconds from the effect to the notice, else to firing; None if it never fired or has no cause."""
        begun, ends = self.onset[0].at, [stage.at for stage in self.onset[4:] if stage.at is not None]
        return None if begun is None or not ends or self.onset[4].at is None else (ends[-1] - begun) * self.speed

    @property
    def slowest(self) -> tuple[str, float] | None:
        """The step that used the most of the budget: (`pending to firing`, production seconds)."""
        return max(self.steps(self.onset), key=lambda step: step[1], default=None)

    def steps(self, stages: tuple[Stage, ...]) -> list[tuple[str, float]]:
        """Return how many production seconds passed from each stage that can be told to the next one."""
        told = [(stage.name, stage.at) for stage in stages if stage.at is not None]
        return [
            (f"{first} to {then}", (end - start) * self.speed)
            for (first, start), (then, end) in zip(told, told[1:], strict=False)
        ]


def detections(evidence: Evidence) -> tuple[Detection, ...]:
    """Return every alert that fired, by its onset, then those that were expected and never did."""
    watchdog = evidence.signals.watchdog.alert if evidence.signals.watchdog else None
    episodes = [one for one in evidence.alerts.all if one.alert != watchdog]
    found = [_detection(evidence, one, cause_of(evidence, one)) for one in episodes]
    for args in expected_alerts(evidence):
        labels = {str(key): str(value) for key, value in (args.get("labels") or {}).items()}
        if not evidence.alerts.episodes(str(args["alert"]), labels):
            found.append(_missed(evidence, str(args["alert"]), labels, named_cause(evidence, args)))
    return tuple(found)


def _detection(evidence: Evidence, episode: Episode, cause: Cause) -> Detection:
    rule = _rule(evidence, episode.alert, episode.labels)
    expr = str(rule.get("expr", "")) if rule else ""
    scrape_s, step_s = _intervals(evidence, episode.alert)
    true = episode.pending_at or episode.start
    sampled, note = first_change(evidence.metrics, expr, episode.labels, cause.begun, true)
    received, poll_s = _received(evidence, episode)
    onset = (
        Stage(name="effective", at=cause.begun, resolution_s=0.0),
        Stage(name="sampled", at=sampled, resolution_s=scrape_s, note=note),
        Stage(name="true", at=true, resolution_s=step_s),
        Stage(name="pending", at=episode.pending_at, resolution_s=step_s),
        Stage(name="firing", at=episode.start, resolution_s=step_s),
        Stage(name="received", at=received, resolution_s=poll_s),
        Stage(name="notified", at=_notified(evidence, episode, "firing"), resolution_s=0.0),
    )
    return Detection(
        alert=episode.alert,
        labels=episode.labels,
        cause=cause.name,
        speed=evidence.speed,
        onset=onset,
        relief=_relief(evidence, episode, cause, expr, rule or {}),
        bound_s=cause.bound_s,
        short_history=_coldness(evidence, expr, cause),
    )


def _relief(
    evidence: Evidence, episode: Episode, cause: Cause, expr: str, rule: Mapping[str, Any]
) -> tuple[Stage, ...]:
    scrape_s, step_s = _intervals(evidence, episode.alert)
    over = cause.over if cause.over is not None and (episode.end is None or cause.over <= episode.end) else None
    sampled, note = first_change(evidence.metrics, expr, episode.labels, over, episode.end)
    kept = bool(rule.get("keep_firing_for_s"))
    return (
        Stage(name="healed", at=over, resolution_s=0.0),
        Stage(name="sampled", at=sampled, resolution_s=scrape_s, note=note),
        Stage(name="false", at=None if kept else episode.end, resolution_s=step_s),
        Stage(name="ended", at=episode.end, resolution_s=step_s),
        Stage(name="left", at=_left(evidence, episode), resolution_s=POLL_S * evidence.speed),
        Stage(name="notified", at=_notified(evidence, episode, "resolved"), resolution_s=0.0),
    )


def _missed(evidence: Evidence, alert: str, labels: Mapping[str, str], cause: Cause) -> Detection:
    """Return the stages of an alert that was expected and never fired: how far it came."""
    waited = [one for one in evidence.alerts.never_fired if one.alert == alert and labels.items() <= one.labels.items()]
    waited = [one for one in waited if cause.begun is None or one.start >= cause.begun]
    rule = _rule(evidence, alert, labels)
    expr = str(rule.get("expr", "")) if rule else ""
    scrape_s, step_s = _intervals(evidence, alert)
    true = waited[0].start if waited else None
    sampled, note = first_change(evidence.metrics, expr, labels, cause.begun, true)
    times = {"effective": cause.begun, "sampled": sampled, "true": true, "pending": true}
    resolutions = {"effective": 0.0, "sampled": scrape_s}
    return Detection(
        alert=alert,
        labels=labels,
        cause=cause.name,
        speed=evidence.speed,
        onset=tuple(
            Stage(
                name=name,
                at=times.get(name),
                resolution_s=resolutions.get(name, step_s),
                note=note if name == "sampled" else "",
            )
            for name in ONSET
        ),
        relief=tuple(Stage(name=name, at=None, resolution_s=0.0) for name in RELIEF),
        bound_s=cause.bound_s,
        short_history=_coldness(evidence, expr, cause),
    )


def _intervals(evidence: Evidence, alert: str) -> tuple[float, float]:
    """Return the scrape interval and the evaluation interval of an alert's group, production seconds."""
    return float(evidence.run["scrape_interval_s"]), evidence.evaluation_s(alert) * evidence.speed


def _rule(evidence: Evidence, alert: str, labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the rule of an alert as run.json holds it, the one whose labels fit best."""
    rules = [rule for rule in evidence.run["alerts"] if rule["name"] == alert]
    fitting = [rule for rule in rules if rule.get("labels", {}).items() <= labels.items()]
    return next(iter(fitting or rules), None)


def _coldness(evidence: Evidence, expr: str, cause: Cause) -> ShortHistory | None:
    """Return what the short history did. It begins with play: before that there is no traffic to dilute anything."""
    if not expr or cause.begun is None or evidence.play is None:
        return None
    history_s = (cause.begun - evidence.play.start) * evidence.speed
    return short_history(expr, history_s, cause.share or 1.0, recording_rules(evidence.folder))


def _received(evidence: Evidence, episode: Episode) -> tuple[float | None, float]:
    """Return when Alertmanager first held the alert, and how exactly that is known (production seconds).

    Its own `updatedAt` is exact; without it, the alert was seen at the next poll.
    """
    for row in _rows_of(evidence, episode):
        if row.get("state") == "gone" or float(row["at"]) < episode.start:
            continue
        if (at := _epoch(row.get("updatedAt"))) is not None and at >= episode.start:
            return at, 0.0
        seen = float(row.get("receivedAt", row["at"]))
        return seen if seen >= episode.start else float(row["at"]), POLL_S * evidence.speed
    return None, POLL_S * evidence.speed


def _left(evidence: Evidence, episode: Episode) -> float | None:
    if episode.end is None:
        return None
    gone = (float(row["at"]) for row in _rows_of(evidence, episode) if row.get("state") == "gone")
    return next((at for at in gone if at >= episode.end), None)


def _rows_of(evidence: Evidence, episode: Episode) -> Iterator[Mapping[str, Any]]:
    wanted = {**episode.labels, "alertname": episode.alert}.items()
    return (row for row in read_lines(evidence.folder / "alerts.jsonl") if wanted <= row.get("labels", {}).items())


def _notified(evidence: Evidence, episode: Episode, status: str) -> float | None:
    """Return when a receiver first answered 2xx to a notice of this onset, or of its end."""
    since = episode.start if status == "firing" else episode.end
    if since is None:
        return None
    told = (
        one.at for one in evidence.notifications if one.delivered and one.names(episode.alert, episode.labels, status)
    )
    at = next((one for one in told if one >= since), None)
    ended = status == "firing" and at is not None and episode.end is not None and at > episode.end
    return None if ended else at


def _epoch(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
