"""Firings: what fired where a check looks, and which notices of it reached whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.harness.evidence.alert_episodes import Episode
from tocsin.harness.evidence.check_bounds import ScopeArgs, clock_slack_s, missed_evaluation_s, rounded, scope_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.notifications import Notification

SEEN_LATE_S = 1.0
"""Wall seconds after which a change inside Alertmanager, polled each half second, has certainly been seen."""


@dataclass(frozen=True, kw_only=True)
class Firings:
    """The episodes that fired in `place`, by start, and `reach`: from there until the last of them had ended.

    `begun` are those that began to fire there; the others fired already.
    """

    place: Interval
    reach: Interval
    episodes: tuple[Episode, ...]

    @property
    def begun(self) -> tuple[Episode, ...]:
        """The episodes that began in `place`."""
        return tuple(episode for episode in self.episodes if episode.start >= self.place.start)


def firings(evidence: Evidence, args: ScopeArgs, alert: str, labels: Mapping[str, str] | None = None) -> Firings:
    """Return what fired of an alert where `args` point; EvidenceError if that was never played."""
    place = scope_interval(evidence, args)
    episodes = tuple(
        episode
        for episode in evidence.alerts.episodes(alert, labels)
        if episode.start <= place.end and (episode.end is None or episode.end > place.start)
    )
    ends = [episode.end or evidence.alerts.last_evaluation or place.end for episode in episodes]
    reach = Interval(start=place.start, end=max([place.end, *ends]))
    return Firings(place=place, reach=reach, episodes=episodes)


def notices(
    evidence: Evidence,
    alert: str,
    labels: Mapping[str, str] | None,
    when: Interval,
    *,
    status: str = "firing",
    receiver: str | None = None,
) -> list[Notification]:
    """Return the delivered messages that hold this alert in this status, by time; the Watchdog's are none."""
    early, late = when.start - clock_slack_s(evidence), when.end + clock_slack_s(evidence)
    delivered = [one for one in evidence.notifications if one.delivered and receiver in (None, one.receiver)]
    return [one for one in delivered if early <= one.at <= late and one.names(alert, labels, status)]


def notices_while_muted(
    evidence: Evidence, alert: str, labels: Mapping[str, str], muted: Iterable[Interval]
) -> list[Notification] | None:
    """Return the delivered firing messages about an alert while Alertmanager certainly held it back.

    The end of a stretch is seen up to a poll later, so its last second proves nothing. None if no stretch was longer.
    """
    certain = [Interval(start=when.start, end=when.end - SEEN_LATE_S) for when in muted if when.seconds > SEEN_LATE_S]
    if not certain:
        return None
    return [notice for when in certain for notice in notices(evidence, alert, labels, when)]


def with_next_evaluation(evidence: Evidence, reach: Interval, alert: str) -> Interval:
    """Return `reach` and the evaluation after it: what was sent just before the end arrives just after it."""
    return Interval(start=reach.start, end=reach.end + missed_evaluation_s(evidence, alert))


def where_it_went(evidence: Evidence, alert: str, labels: Mapping[str, str], episode: Episode) -> str:
    """Say where an alert went that did not arrive: to others, or nowhere because Alertmanager held it back."""
    parts: list[str] = []
    for word, intervals in (("inhibited", episode.inhibited), ("silenced", episode.silenced)):
        if intervals and not parts:
            late_s = (intervals[0].start - episode.start) * evidence.speed
            delay = f"{rounded(late_s)} s later" if late_s >= 1 else "at once"
            parts.append(f"it was {word} {delay}")
    since = episode.start - clock_slack_s(evidence)
    sent = [one for one in evidence.notifications if one.at >= since and one.names(alert, labels, "firing")]
    receivers = sorted({one.receiver for one in sent if one.delivered})
    refusals = sorted({f"{one.receiver} ({one.answered})" for one in sent if not one.delivered})
    if receivers:
        parts.append(f"it went to {', '.join(receivers)}")
    elif refusals:
        parts.append(f"it was refused by {', '.join(refusals)}")
    return " and ".join(parts) or "no notification of it was seen at all"


def time_in_play(evidence: Evidence, at: float) -> str:
    """Return in words when something was: `at 1320 s of play`."""
    start = evidence.play.start if evidence.play else at
    return f"at {rounded((at - start) * evidence.speed)} s of play"
