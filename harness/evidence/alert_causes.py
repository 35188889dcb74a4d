"""Causes: which fault or phase of a drill an alert is about, when it took effect and when it was over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.evidence.alert_episodes import Episode
from tocsin.harness.evidence.evidence import Evidence, PlayedFault


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A fault or a phase, or nothing (no name). Epoch seconds, None where it was not seen.

    `share` is the part of the traffic it turns bad, None if the drill does not say; `bound_s` the `within` that the
    drill sets for the alert, production seconds.
    """

    name: str = ""
    begun: float | None = None
    over: float | None = None
    share: float | None = None
    bound_s: float | None = None

    def began_by(self, at: float) -> bool:
        """Tell whether it was seen to have begun at a time (epoch seconds)."""
        return self.begun is not None and self.begun <= at

    def active(self, at: float) -> bool:
        """Tell whether it was not over yet at a time (epoch seconds)."""
        return self.over is None or self.over > at


def cause_of(evidence: Evidence, episode: Episode) -> Cause:
    """Return what the drill says is the cause; else the faults and shifted phases active then; else the last one.

    Of several declared causes, it is the last to begin of those active then, else the last to begin of all.
    """
    seen = episode.pending_at or episode.start
    fires = [fire for fire in evidence.expected_alerts if fire.alert == episode.alert]
    declared = [named_cause(evidence, fire) for fire in fires if episode.has(fire.labels)]
    declared = [cause for cause in declared if cause.began_by(episode.start)]
    if declared:
        return max(declared, key=lambda cause: (cause.active(seen), cause.begun or 0.0))
    begun = [cause for cause in _causes(evidence) if cause.began_by(seen)]
    active = [cause for cause in begun if cause.active(seen)]
    last = max(begun, key=lambda cause: cause.begun or 0.0, default=Cause())
    return _joined(active) if active else last


def named_cause(evidence: Evidence, fire: Fire) -> Cause:
    """Return the cause that a line `alerts/fire` names."""
    name = fire.during or fire.phase or ""
    causes = {cause.name: cause for cause in _causes(evidence, every_phase=True)}
    return replace(causes.get(name, Cause(name=name)), bound_s=fire.within)


def _joined(active: list[Cause]) -> Cause:
    """Return several causes at once as one: it may be about any of them."""
    ends = [cause.over for cause in active if cause.over is not None]
    return Cause(
        name=" or ".join(cause.name for cause in active),
        begun=min(cause.begun for cause in active if cause.begun is not None),
        over=max(ends) if len(ends) == len(active) else None,
        share=max((cause.share for cause in active if cause.share is not None), default=None),
    )


def _causes(evidence: Evidence, *, every_phase: bool = False) -> Iterator[Cause]:
    shifted = {phase["name"] for phase in evidence.run["phases"] if phase.get("payload")}
    for name, played in evidence.phases.items():
        if every_phase or name in shifted:
            yield Cause(name=name, begun=played.start, over=played.end)
    for fault in evidence.faults.values():
        yield Cause(name=fault.name, begun=fault.effective_at, over=fault.gone_at, share=_share(fault))


def _share(fault: PlayedFault) -> float | None:
    """Return the part of the traffic that a fault turns bad, None where its parameters do not say."""
    share = fault.params.get("share")
    return float(share) if isinstance(share, (int, float)) and 0 < share <= 1 else None
