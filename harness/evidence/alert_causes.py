"""Causes: which fault or phase of a drill an alert is about, when it took effect and when it was over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.evidence.alerts import Episode
from tocsin.harness.evidence.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A fault or a phase, or nothing (no name). Epoch seconds, None where it was not seen.

    `share` is the part of the traffic it turns bad, None if the drill does not say; `bound_s` the `within` asked of the
    alert, production seconds.
    """

    name: str = ""
    begun: float | None = None
    over: float | None = None
    share: float | None = None
    bound_s: float | None = None

    def active(self, at: float) -> bool:
        """Tell whether it was not over yet at a time (epoch seconds)."""
        return self.over is None or self.over > at


def expected_alerts(evidence: Evidence) -> list[Mapping[str, Any]]:
    """Return the arguments of every `alerts/fire` of the drill."""
    return [line.args for line in evidence.scenario.expect if line.check == "alerts/fire"]


def cause_of(evidence: Evidence, episode: Episode) -> Cause:
    """Return what the drill says is the cause; else the faults and shifted phases active then; else the last one.

    Where it says several, the one that was active then and began last is meant, else the one that began last.
    """
    seen = episode.start if episode.pending_at is None else episode.pending_at
    said = [one for one in _said(evidence, episode) if one.begun is not None and one.begun <= episode.start]
    if said:
        return max(said, key=lambda one: (one.active(seen), one.begun or 0.0))
    begun = [one for one in _causes(evidence) if one.begun is not None and one.begun <= seen]
    active = [one for one in begun if one.active(seen)]
    return _joined(active) if active else max(begun, key=lambda one: one.begun or 0.0, default=Cause())


def _said(evidence: Evidence, episode: Episode) -> Iterator[Cause]:
    """Yield the causes of the lines that expect this alert."""
    for args in expected_alerts(evidence):
        labels = {str(key): str(value) for key, value in (args.get("labels") or {}).items()}
        if args["alert"] == episode.alert and labels.items() <= episode.labels.items():
            yield named_cause(evidence, args)


def _joined(active: list[Cause]) -> Cause:
    """Return several causes at once as one: it may be about any of them."""
    overs = [one.over for one in active]
    return Cause(
        name=" or ".join(one.name for one in active),
        begun=min(one.begun for one in active if one.begun is not None),
        over=None if None in overs else max(over for over in overs if over is not None),
        share=max((one.share for one in active if one.share is not None), default=None),
    )


def named_cause(evidence: Evidence, args: Mapping[str, Any]) -> Cause:
    """Return the cause that the arguments of an `alerts/fire` name."""
    name = str(args.get("during") or args.get("in") or "")
    bound_s = parse_duration(str(args["within"])) if "within" in args else None
    known = {one.name: one for one in _causes(evidence, every_phase=True)}
    return replace(known.get(name, Cause(name=name)), bound_s=bound_s)


def _causes(evidence: Evidence, *, every_phase: bool = False) -> Iterator[Cause]:
    payloads = {phase["name"]: phase.get("payload") for phase in evidence.run["phases"]}
    for name, played in evidence.phases.items():
        if every_phase or payloads.get(name):
            yield Cause(name=name, begun=played.start, over=played.end)
    for fault in evidence.faults.values():
        said = fault.params.get("share")
        share = float(said) if isinstance(said, (int, float)) and 0 < said <= 1 else None
        yield Cause(name=fault.name, begun=fault.effective_at, over=fault.gone_at, share=share)
