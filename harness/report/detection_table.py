"""Where the time from a fault to a page went, and the time back: a table for people, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tocsin.harness.evidence.check_bounds import rounded
from tocsin.harness.evidence.detection_stages import Detection, Stage

_ONSET = {"sampled": "sampled", "true": "true", "firing": "firing", "received": "received", "notified": "notified"}
_RELIEF = {"sampled": "sampled", "true": "false", "firing": "ended", "received": "left", "notified": "notified"}
_TELLING = ("feature", "model_name", "gpu", "instance", "job")
"""Labels that tell one series of an alert from another: the first that there is."""
_MOVING = "`>=`: every series the rule reads was moving anyway; the bad sample came with that scrape or a later one."


def table(detections: Sequence[Detection]) -> RenderableType | None:
    """Return a line per alert and one for its way back, production seconds from the effect; None if there is none."""
    if not detections:
        return None
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.add_column("detection, production s", overflow="fold", ratio=1)
    for column in _ONSET:
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("most of it", overflow="fold", width=27)
    for one in detections:
        shown.add_row(_about(one), *_times(one.onset, _ONSET, one.speed), _most(one))
        back = Text("  and back", style="dim")
        shown.add_row(back, *_times(one.relief, _RELIEF, one.speed), _slowest(one, one.relief))
    moving = any(stage.note for one in detections for stage in (*one.onset, *one.relief))
    notes = [Text(sentence, style="dim") for sentence in [_resolution(detections), *[_MOVING] * moving]]
    return Group(Text(""), shown, *notes, *(Text(line, style="yellow") for line in coldness(detections)))


def coldness(detections: Iterable[Detection]) -> list[str]:
    """Return a sentence for every alert whose windows reached back beyond the history the drill had."""
    told = {f"{one.alert} on a fresh stack: {one.short_history}." for one in detections if one.short_history}
    return sorted(told)


def document(detections: Iterable[Detection]) -> list[dict[str, Any]]:
    """Return what verdicts.json holds: every stage in production seconds after the effect, and as epoch seconds."""
    return [_document(one) for one in detections]


def _document(one: Detection) -> dict[str, Any]:
    slowest, cold = one.slowest, one.short_history
    return {
        "alert": one.alert,
        "labels": dict(one.labels),
        "cause": one.cause,
        "bound_s": one.bound_s,
        "total_s": None if one.total_s is None else round(one.total_s, 3),
        "slowest": {"step": slowest[0], "took_s": round(slowest[1], 3)} if slowest else None,
        "onset": [_stage(stage, one.onset[0].at, one.speed) for stage in one.onset],
        "relief": [_stage(stage, one.relief[0].at, one.speed) for stage in one.relief],
        "optimistic": None
        if cold is None
        else {
            "window_s": cold.window_s,
            "history_s": round(cold.history_s, 3),
            "by_s": round(cold.optimistic_s, 3),
            "exact": cold.exact,
        },
    }


def _stage(stage: Stage, since: float | None, speed: float) -> dict[str, Any]:
    known = stage.at is not None and since is not None
    return {
        "stage": stage.name,
        "at": stage.at,
        "after_s": round(((stage.at or 0.0) - (since or 0.0)) * speed, 3) if known else None,
        "resolution_s": round(stage.resolution_s, 3),
        "note": stage.note,
    }


def _about(one: Detection) -> Text:
    told = [one.labels[name] for name in _TELLING if name in one.labels][:1]
    text = Text(one.alert).append(f" {told[0]}" if told else "", style="dim")
    return text.append(f"\n  after {one.cause}" if one.cause else "\n  of no planned cause", style="dim")


def _times(stages: Sequence[Stage], columns: dict[str, str], speed: float) -> list[str]:
    times = {stage.name: stage for stage in stages}
    begun = stages[0].at
    found = []
    for name in columns.values():
        stage = times[name]
        if stage.at is None or begun is None:
            found.append("-")
        else:
            found.append(f"{'>=' if stage.note else ''}{(stage.at - begun) * speed:.0f}")
    return found


def _most(one: Detection) -> str:
    if one.total_s is None:
        return "it never fired" if one.onset[4].at is None else "-"
    bound = f"; bound {rounded(one.bound_s)} s" if one.bound_s is not None else ""
    return _slowest(one, one.onset) + bound


def _slowest(one: Detection, stages: Sequence[Stage]) -> str:
    steps = one.steps(tuple(stages)) if stages[0].at is not None else []
    if not steps:
        return "-"
    name, took_s = max(steps, key=lambda step: step[1])
    return f"{name}, {took_s:.0f} s"


def _resolution(detections: Sequence[Detection]) -> str:
    def largest(name: str) -> str:
        stages = [stage for one in detections for stage in (*one.onset[1:-1], *one.relief[1:-1])]
        return rounded(max(stage.resolution_s for stage in stages if stage.name == name))

    return (
        f"Each time is when it was seen; it came at most so much earlier: sampled {largest('sampled')} s (scrape), "
        f"true, firing, false and ended {largest('true')} s (evaluation), received {largest('received')} s "
        f"and left {largest('left')} s (poll), notified 0 s."
    )
