"""dashboards/alive: does every panel show something in health, and do the right ones move under the fault?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from tocsin.harness.declarations.check_arguments import Args, Duration, Entry, FaultName, PhaseName, Ref
from tocsin.harness.evidence.check_bounds import phase_interval, scope_interval
from tocsin.harness.evidence.panel_movement import Movement, movement
from tocsin.harness.evidence.panels import PanelQuery, RecordedPanel
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown
from tocsin.harness.judging.wording import first_few, one_line

PanelName = Annotated[str, Ref(kind="panel")]
DashboardName = Annotated[str, Ref(kind="dashboard")]
_MOST_NAMED = 5
_FAILURES = {"refused": "is refused", "empty": "has nothing to ask for", "unanswered": "was not answered"}


class Pointed(Entry):
    """A panel by its title, and its dashboard (the name of its file) where several have one of that title."""

    panel: PanelName
    dashboard: DashboardName | None = None

    def names(self, panel: RecordedPanel) -> bool:
        """Tell whether this is the panel."""
        return self.panel == panel.title and self.dashboard in (None, panel.dashboard)


class Move(Pointed):
    """A panel that must move in a phase (`in`) or while a fault lasts (`during`).

    `share` of its values there must lie outside what health showed; `window` is how far back a value looks, production
    seconds, where the query does not say (a gauge that is a mean itself).
    """

    phase: PhaseName | None = Field(default=None, alias="in")
    during: FaultName | None = None
    share: float = Field(default=0.5, gt=0, le=1)
    window: Duration = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _placed(self) -> Move:
        if (self.phase is None) == (self.during is None):
            raise ValueError("Either `in` (a phase) or `during` (a fault)")
        return self


class Alive(Args):
    """`in` is the healthy phase, by default the first. `may_be_empty`: panels that need no data there.

    `dashboards` limits the question to some of them; none: all that stack.yaml names.
    """

    moves: tuple[Move, ...] = ()
    may_be_empty: tuple[PanelName | Pointed, ...] = ()
    dashboards: tuple[DashboardName, ...] = ()

    @model_validator(mode="after")
    def _no_fault(self) -> Alive:
        if self.during is not None:
            raise ValueError("No `during` here: a fault belongs to an entry of `moves`")
        return self


@dataclass(frozen=True, kw_only=True)
class _Sentences:
    """About panels without data, those that moved, those that did not, and what nobody can tell."""

    dead: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    still: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


def judge(evidence: Evidence, args: Alive) -> Finding:
    """Look for data of every query in the healthy phase, then for movement of the panels that must move."""
    boards = evidence.panels
    if not boards:
        return unknown("No panel was recorded: the stack names no dashboards, or it went down before they were asked.")
    sentences = _Sentences(open=[board.unreadable for board in boards if board.unreadable])
    boards = tuple(board for board in boards if not args.dashboards or board.name in args.dashboards)
    panels = [panel for board in boards for panel in board.panels]
    healthy, name = _healthy(evidence, args), args.phase or next(iter(evidence.phases))
    for panel in panels:
        for query in panel.queries:
            _look(panel, query, healthy, name, _may_be_empty(panel, args), sentences)
    for move in args.moves:
        _look_for_movement(evidence, panels, move, healthy, sentences)
    queries = sum(len(panel.queries) for panel in panels)
    figures = {
        "panels": len(panels),
        "queries": queries,
        "dead": sentences.dead,
        "moved": sentences.moved,
        "still": sentences.still,
    }
    wrong = [*sentences.dead, *sentences.still]
    if wrong:
        return failed(f"{first_few(wrong, _MOST_NAMED, '. ')}.", **figures)
    if sentences.open:
        return unknown(f"{first_few(sentences.open, _MOST_NAMED, '. ')}.", **figures)
    if not queries:
        return unknown("No panel of these dashboards asks anything.", **figures)
    story = f"All {queries} queries of {len(panels)} panels"
    if args.may_be_empty:
        story += " but those that may be empty"
    return passed(". ".join([f"{story} have data in {name}", *sentences.moved]) + ".", **figures)


def window(evidence: Evidence, args: Alive) -> Interval:
    """From the healthy phase to the last place where a panel must move."""
    places = [_healthy(evidence, args), *(scope_interval(evidence, move) for move in args.moves)]
    return Interval(start=min(place.start for place in places), end=max(place.end for place in places))


def _healthy(evidence: Evidence, args: Alive) -> Interval:
    return phase_interval(evidence, args.phase or next(iter(evidence.phases), None))


def _look(
    panel: RecordedPanel, query: PanelQuery, healthy: Interval, name: str, may_be_empty: bool, sentences: _Sentences
) -> None:
    """Tell of a query without data in the healthy phase, one that is refused, and one that nobody could ask."""
    if query.failed in ("refused", "empty"):
        if query.failed == "refused" or not may_be_empty:
            sentences.dead.append(_failed(panel, query))
    elif query.failed:
        sentences.open.append(_failed(panel, query))
    elif not may_be_empty:
        filled = _filled(panel, query, healthy)
        if filled is None:
            sentences.open.append(f"{name} is too short to tell whether {panel.name} has data")
        elif filled < 0.5:
            sentences.dead.append(f"{panel.name} has no data in {name}: {one_line(query.text) or 'its query'}")
        elif query.missing_labels:
            names = ", ".join(query.missing_labels)
            sentences.dead.append(f"No series of {panel.name} has the label {names} that its legend shows")


def _filled(panel: RecordedPanel, query: PanelQuery, healthy: Interval) -> float | None:
    """Return the share of points of time with a value of any series, in the later half of the healthy phase.

    The first half is left to windows that fill and to what is checked only now and then.
    """
    inside = panel.within(Interval(start=(healthy.start + healthy.end) / 2, end=healthy.end))
    if np.count_nonzero(inside) < 2:
        return None
    filled = np.zeros(np.count_nonzero(inside), dtype=bool)
    for series in query.series:
        filled |= ~np.isnan(series.values[inside])
    return float(np.mean(filled))


def _look_for_movement(
    evidence: Evidence, panels: Sequence[RecordedPanel], move: Move, healthy: Interval, sentences: _Sentences
) -> None:
    """Tell whether the panel moved, stood still, or may have moved by chance."""
    named = [panel for panel in panels if move.names(panel)]
    if not named:
        sentences.open.append(f"The panel {move.panel} is in no dashboard")
        return
    if len(named) > 1:
        boards = ", ".join(sorted({panel.dashboard for panel in named}))
        sentences.open.append(f"The panel {move.panel} is in {boards}: name one")
        return
    panel, place = named[0], move.phase or move.during
    movements = list(_movements(evidence, panel, move, healthy))
    if not movements:
        sentences.still.append(f"{panel.name} did not move in {place}: it has no data")
        return
    best = max(movements, key=lambda movement: (movement.moved, movement.share))
    if best.share < move.share:
        story = f"{panel.name} did not move in {place}: {best.share:.0%} of {best.sentence}"
        sentences.still.append(f"{story}, {move.share:.0%} are needed")
    elif not best.moved:
        sentences.open.append(
            f"{panel.name} may have moved in {place} by chance: {best.sentence}, too few values to tell"
        )
    else:
        sentences.moved.append(f"{panel.name} moved in {place}: {best.share:.0%} of {best.sentence}")


def _movements(evidence: Evidence, panel: RecordedPanel, move: Move, healthy: Interval) -> Iterator[Movement]:
    place, ahead, step_s = scope_interval(evidence, move), 0.0, 1.0
    if healthy.seconds:
        ahead = abs(place.end - healthy.end) / healthy.seconds
    if len(panel.t) > 1:
        step_s = float(panel.t[1] - panel.t[0])
    every = sum(len(query.series) for query in panel.queries)
    during = panel.within(place)
    for query in panel.queries:
        window_s = max(query.window_s, move.window) / evidence.speed
        before = panel.within(Interval(start=healthy.start + window_s, end=healthy.end))
        apart = max(window_s / step_s, 1.0)
        for series in query.series:
            values = series.values[before], series.values[during]
            yield movement(series.name, *values, apart=apart, looks=every, ahead=ahead)


def _failed(panel: RecordedPanel, query: PanelQuery) -> str:
    why = _FAILURES.get(query.failed, "could not be asked")
    return f"The query {query.ref} of {panel.name} {why}: {one_line(query.says).rstrip('.')}"


def _may_be_empty(panel: RecordedPanel, args: Alive) -> bool:
    pointed = [entry for entry in args.may_be_empty if isinstance(entry, Pointed)]
    return panel.title in args.may_be_empty or any(entry.names(panel) for entry in pointed)


CHECK = Check(
    summary="Every panel of the dashboards shows data in health, and the named ones move under the fault.",
    args=Alive,
    judge=judge,
    streams=("metrics",),
    window=window,
    files=("panels/",),
)
