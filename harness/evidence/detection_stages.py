"""Detection, stage by stage: how the time from a fault to a page was spent, and the way back. Pure in the evidence.

    effective   the fault's witness first saw it; for a shift of the traffic, its phase began
    sampled     the first scrape after that in which a series that the expression reads, and that had stood still,
                changed. When all of them were already changing, the first scrape after the effect: a lower bound
    true        the first evaluation at which the expression held
    pending     the same evaluation, if the rule waits
    firing      the first evaluation at which the alert fired
    received    Alertmanager held it
    notified    a receiver was notified and answered 2xx

and back: healed (the witness saw it gone; the phase ended), sampled, false, ended (in ALERTS), left (Alertmanager),
notified (of the end). A stage that is not known has no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf

from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.evidence.alert_causes import Cause, cause_of, named_cause
from tocsin.harness.evidence.alert_episodes import Episode
from tocsin.harness.evidence.alertmanager_states import AlertState
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.first_changes import first_change
from tocsin.harness.evidence.original_rules import recording_rules
from tocsin.harness.evidence.rule_windows import ShortHistory, short_history
from tocsin.harness.evidence.run_json import AlertJson

POLL_S = 0.5
"""Wall seconds between two looks at what Alertmanager holds."""
ONSET = ("effective", "sampled", "true", "pending", "firing", "received", "notified")
RELIEF = ("healed", "sampled", "false", "ended", "left", "notified")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: epoch seconds, None if it is not known or never came. It came at most `resolution_s` earlier.

    `resolution_s` is in production seconds. `note` says what the time rests on, where that is not the usual thing.
    """

    name: str
    at: float | None
    resolution_s: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How one alert was detected, or was not. `cause` is a fault or a phase, empty if nothing explains it.

    `bound_s` is the `within` that the drill sets, production seconds, None if it sets none.
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
    def fired(self) -> bool:
        """Whether the alert fired."""
        return self.onset[ONSET.index("firing")].at is not None

    @property
    def total_s(self) -> float | None:
        """Production seconds from the effect to the notice, else to firing; None if it never fired or has no cause."""
        begun, known = self.onset[0].at, [stage.at for stage in self.onset if stage.at is not None]
        if begun is None or not self.fired:
            return None
        return (known[-1] - begun) * self.speed

    @property
    def slowest(self) -> tuple[str, float] | None:
        """The step that used the most of the budget: (`pending to firing`, production seconds)."""
        return max(self.steps(self.onset), key=lambda step: step[1], default=None)

    def steps(self, stages: tuple[Stage, ...]) -> list[tuple[str, float]]:
        """Return how many production seconds passed from each stage with a known time to the next one."""
        known = [(stage.name, stage.at) for stage in stages if stage.at is not None]
        return [(f"{first} to {then}", (end - start) * self.speed) for (first, start), (then, end) in pairwise(known)]


def detections(evidence: Evidence) -> tuple[Detection, ...]:
    """Return every alert that fired, by its onset, then those that were expected and never did."""
    watchdog = evidence.signals.watchdog
    episodes = [one for one in evidence.alerts.all if watchdog is None or one.alert != watchdog.alert]
    missed = [fire for fire in evidence.expected_alerts if not evidence.alerts.episodes(fire.alert, fire.labels)]
    return (*(_detected(evidence, episode) for episode in episodes), *(_missed(evidence, fire) for fire in missed))


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """An alert whose detection is looked at, and what caused it."""

    evidence: Evidence
    alert: str
    labels: Mapping[str, str]
    cause: Cause

    @cached_property
    def rule(self) -> AlertJson:
        """The rule of the alert as run.json holds it, the one whose labels fit best; empty if it is not known."""
        rules = [rule for rule in self.evidence.run["alerts"] if rule["name"] == self.alert]
        fitting = [rule for rule in rules if rule.get("labels", {}).items() <= self.labels.items()]
        return next(iter(fitting or rules), AlertJson())

    @property
    def expr(self) -> str:
        """The rule's expression."""
        return self.rule.get("expr", "")

    def sampled(self, since: float | None, until: float | None) -> Stage:
        """Return the first scrape that brought a changed sample."""
        at, note = first_change(self.evidence.metrics, self.expr, self.labels, since, until)
        return Stage(name="sampled", at=at, resolution_s=self.evidence.run["scrape_interval_s"], note=note)

    def evaluated(self, name: str, at: float | None) -> Stage:
        """Return a stage that is exact to an evaluation of the rule's group."""
        return Stage(name=name, at=at, resolution_s=self.evidence.evaluation_s(self.alert) * self.evidence.speed)

    def detection(self, onset: tuple[Stage, ...], relief: tuple[Stage, ...]) -> Detection:
        """Return the detection with these stages."""
        return Detection(
            alert=self.alert,
            labels=self.labels,
            cause=self.cause.name,
            speed=self.evidence.speed,
            onset=onset,
            relief=relief,
            bound_s=self.cause.bound_s,
            short_history=self._short_history(),
        )

    def _short_history(self) -> ShortHistory | None:
        """Return what the short history did. It begins with play: before that no traffic dilutes anything."""
        if self.cause.begun is None or self.evidence.play is None:
            return None
        history_s = (self.cause.begun - self.evidence.play.start) * self.evidence.speed
        return short_history(self.expr, history_s, self.cause.share or 1.0, recording_rules(self.evidence.folder))


def _detected(evidence: Evidence, episode: Episode) -> Detection:
    cause = cause_of(evidence, episode)
    subject = _Subject(evidence=evidence, alert=episode.alert, labels=episode.labels, cause=cause)
    true_at = episode.pending_at or episode.start
    notified_at = _first_notice(evidence, episode, "firing", episode.start, episode.end)
    onset = (
        Stage(name="effective", at=cause.begun, resolution_s=0.0),
        subject.sampled(cause.begun, true_at),
        subject.evaluated("true", true_at),
        subject.evaluated("pending", episode.pending_at),
        subject.evaluated("firing", episode.start),
        _received(subject, episode),
        Stage(name="notified", at=notified_at, resolution_s=0.0),
    )
    return subject.detection(onset, _relief(subject, episode))


def _relief(subject: _Subject, episode: Episode) -> tuple[Stage, ...]:
    over, false_at = subject.cause.over, episode.end
    if over is not None and episode.end is not None and over > episode.end:
        over = None
    if subject.rule.get("keep_firing_for_s"):
        false_at = None
    notified_at = _first_notice(subject.evidence, episode, "resolved", episode.end)
    return (
        Stage(name="healed", at=over, resolution_s=0.0),
        subject.sampled(over, episode.end),
        subject.evaluated("false", false_at),
        subject.evaluated("ended", episode.end),
        Stage(name="left", at=_left(subject.evidence, episode), resolution_s=POLL_S * subject.evidence.speed),
        Stage(name="notified", at=notified_at, resolution_s=0.0),
    )


def _missed(evidence: Evidence, fire: Fire) -> Detection:
    """Return the stages of an alert that was expected and never fired: how far it came."""
    cause = named_cause(evidence, fire)
    subject = _Subject(evidence=evidence, alert=fire.alert, labels=fire.labels, cause=cause)
    pending = [one for one in evidence.alerts.never_fired if one.alert == fire.alert and one.has(fire.labels)]
    begun = cause.begun
    true_at = next((one.start for one in pending if begun is None or one.start >= begun), None)
    onset = (
        Stage(name="effective", at=begun, resolution_s=0.0),
        subject.sampled(begun, true_at),
        subject.evaluated("true", true_at),
        subject.evaluated("pending", true_at),
        *(subject.evaluated(name, None) for name in ONSET[4:]),
    )
    return subject.detection(onset, tuple(Stage(name=name, at=None, resolution_s=0.0) for name in RELIEF))


def _received(subject: _Subject, episode: Episode) -> Stage:
    """Return when Alertmanager first held the alert: exact by its own `updatedAt`, else seen at the next look."""
    for state in _states_of(subject.evidence, episode):
        if state.gone or state.at < episode.start:
            continue
        if state.updated_at is not None and state.updated_at >= episode.start:
            return Stage(name="received", at=state.updated_at, resolution_s=0.0)
        seen_at = next(at for at in (state.received_at, state.at) if at >= episode.start)
        return Stage(name="received", at=seen_at, resolution_s=POLL_S * subject.evidence.speed)
    return Stage(name="received", at=None, resolution_s=POLL_S * subject.evidence.speed)


def _left(evidence: Evidence, episode: Episode) -> float | None:
    if episode.end is None:
        return None
    gone = (state.at for state in _states_of(evidence, episode) if state.gone)
    return next((at for at in gone if at >= episode.end), None)


def _states_of(evidence: Evidence, episode: Episode) -> Iterator[AlertState]:
    wanted = {**episode.labels, "alertname": episode.alert}
    return (state for state in evidence.alert_states if state.has(wanted))


def _first_notice(
    evidence: Evidence, episode: Episode, status: str, since: float | None, until: float | None = None
) -> float | None:
    """Return when a receiver first answered 2xx to a notice of this status from `since` on, None if not by `until`."""
    for notice in evidence.notifications:
        if since is None or notice.at > (until or inf):
            return None
        if notice.at >= since and notice.delivered and notice.names(episode.alert, episode.labels, status):
            return notice.at
    return None
