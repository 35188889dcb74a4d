"""Where the time from a fault to a page went, and the time back: a table for people, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tocsin.harness.evidence.check_bounds import rounded
from tocsin.harness.evidence.detection_stages import Detection, Stage

_ONSET = ("sampled", "true", "firing", "received", "notified")
_RELIEF = ("sampled", "false", "ended", "left", "notified")
_TELLING = ("feature", "model_name", "gpu", "instance", "job")
"""Labels that tell one series of an alert from another: the first that there is."""
_MOVING = "`>=` is a lower bound: the rule's inputs were already changing."


def table(detections: Sequence[Detection]) -> RenderableType | None:
    """Return a line per alert and one for its way back, production seconds from the effect; None if there is none."""
    if not detections:
        return None
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.add_column("detection, production s", overflow="fold", ratio=1)
    for column in _ONSET:
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("slowest step", overflow="fold", width=27)
    for detection in detections:
        shown.add_row(_heading(detection), *_times(detection.onset, _ONSET, detection.speed), _slowest_of(detection))
        back = _times(detection.relief, _RELIEF, detection.speed)
        shown.add_row(Text("  recovery", style="dim"), *back, _slowest(detection, detection.relief))
    notes = [Text(_resolution(detections), style="dim")]
    if any(stage.note for detection in detections for stage in (*detection.onset, *detection.relief)):
        notes.append(Text(_MOVING, style="dim"))
    notes += [Text(line, style="yellow") for line in short_histories(detections)]
    return Group(Text(""), shown, *notes)


def short_histories(detections: Iterable[Detection]) -> list[str]:
    """Return a sentence for every alert whose windows reached back beyond the history the drill had."""
    return sorted({f"{one.alert} on a fresh stack: {one.short_history}." for one in detections if one.short_history})


def document(detections: Iterable[Detection]) -> list[dict[str, object]]:
    """Return what verdicts.json holds: every stage in production seconds after the effect, and as epoch seconds."""
    return [_document(detection) for detection in detections]


def _document(detection: Detection) -> dict[str, object]:
    row: dict[str, object] = {
        "alert": detection.alert,
        "labels": dict(detection.labels),
        "cause": detection.cause,
        "bound_s": detection.bound_s,
        "total_s": _round(detection.total_s),
        "slowest": None,
        "onset": _stages(detection.onset, detection.speed),
        "relief": _stages(detection.relief, detection.speed),
        "optimistic": None,
    }
    if detection.slowest is not None:
        step, took_s = detection.slowest
        row["slowest"] = {"step": step, "took_s": round(took_s, 3)}
    if detection.short_history is not None:
        cold = detection.short_history
        history_s, by_s = round(cold.history_s, 3), round(cold.optimistic_s, 3)
        row["optimistic"] = {"window_s": cold.window_s, "history_s": history_s, "by_s": by_s, "exact": cold.exact}
    return row


def _stages(stages: Sequence[Stage], speed: float) -> list[dict[str, object]]:
    return [
        {
            "stage": stage.name,
            "at": stage.at,
            "after_s": _round(_after_s(stage, stages[0], speed)),
            "resolution_s": round(stage.resolution_s, 3),
            "note": stage.note,
        }
        for stage in stages
    ]


def _after_s(stage: Stage, first: Stage, speed: float) -> float | None:
    """Return how many production seconds after the first stage another one came; None where one is not known."""
    if stage.at is None or first.at is None:
        return None
    return (stage.at - first.at) * speed


def _round(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _heading(detection: Detection) -> Text:
    heading = Text(detection.alert)
    label = next((name for name in _TELLING if name in detection.labels), None)
    if label is not None:
        heading.append(f" {detection.labels[label]}", style="dim")
    cause = f"after {detection.cause}" if detection.cause else "of no planned cause"
    return heading.append(f"\n  {cause}", style="dim")


def _times(stages: Sequence[Stage], names: Sequence[str], speed: float) -> list[str]:
    texts = {}
    for stage in stages:
        after_s = _after_s(stage, stages[0], speed)
        bound = ">=" if stage.note else ""
        texts[stage.name] = "-" if after_s is None else f"{bound}{after_s:.0f}"
    return [texts[name] for name in names]


def _slowest_of(detection: Detection) -> str:
    """Return the slowest step of the onset and the bound that the drill sets."""
    if not detection.fired:
        return "it never fired"
    if detection.total_s is None:
        return "-"
    slowest = _slowest(detection, detection.onset)
    if detection.bound_s is None:
        return slowest
    return f"{slowest}; bound {rounded(detection.bound_s)} s"


def _slowest(detection: Detection, stages: tuple[Stage, ...]) -> str:
    steps = detection.steps(stages)
    if stages[0].at is None or not steps:
        return "-"
    name, took_s = max(steps, key=lambda step: step[1])
    return f"{name}, {took_s:.0f} s"


def _resolution(detections: Sequence[Detection]) -> str:
    def largest(name: str) -> str:
        stages = [stage for one in detections for stage in (*one.onset[1:-1], *one.relief[1:-1])]
        return rounded(max(stage.resolution_s for stage in stages if stage.name == name))

    return (
        "Times are first observations; the true time may be earlier by up to one interval: "
        f"sampled {largest('sampled')} s (scrape), true, firing, false and ended {largest('true')} s (evaluation), "
        f"received {largest('received')} s and left {largest('left')} s (poll), notified 0 s."
    )
