"""dashboards/alive: does every panel show something in health, and do the right ones move under the fault?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.harness.declarations.references import Args, Duration, FaultName, PhaseName, Ref
from tocsin.harness.evidence.check_bounds import phase_interval, scope_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.panel_movement import Movement, movement
from tocsin.harness.evidence.panels import PanelQuery, RecordedPanel
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

PanelName = Annotated[str, Ref(kind="panel")]
DashboardName = Annotated[str, Ref(kind="dashboard")]
_MOST_NAMED = 5


class Pointed(BaseModel):
    """A panel by its title, and its dashboard (the name of its file) where several have one of that title."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    panel: PanelName
    dashboard: DashboardName | None = None


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


def judge(evidence: Evidence, args: Alive) -> Finding:
    """Look for data of every query in the healthy phase, then for movement of the panels that must move."""
    recorded = evidence.panels
    if not recorded:
        return unknown("No panel was recorded: the stack names no dashboards, or it went down before they were asked.")
    torn = [one.unreadable for one in recorded if one.unreadable]
    panels = [one for board in recorded if not args.dashboards or board.name in args.dashboards for one in board.panels]
    healthy, name = _healthy(evidence, args), args.phase or next(iter(evidence.phases))
    dead, open_ = _dead(panels, healthy, name, args)
    told_moves = [_moved(evidence, panels, move, healthy) for move in args.moves]
    moved, still, doubts = (
        [told for answer, told in told_moves if answer == one] for one in ("moved", "still", "open")
    )
    queries = sum(len(panel.queries) for panel in panels)
    figures = {"panels": len(panels), "queries": queries, "dead": dead, "moved": moved, "still": still}
    if wrong := [*dead, *still]:
        return failed(_listed(wrong), **figures)
    if doubtful := [*torn, *open_, *doubts]:
        return unknown(_listed(doubtful), **figures)
    if not queries:
        return unknown("No panel of these dashboards asks anything.", **figures)
    told = f"All {queries} queries of {len(panels)} panels but those that may be empty have data in {name}"
    return passed(". ".join([told if args.may_be_empty else told.replace(" but those that may be empty", ""), *moved])
                  + ".", **figures)  # fmt: skip


def window(evidence: Evidence, args: Alive) -> Interval:
    """From the healthy phase to the last place where a panel must move."""
    places = [_healthy(evidence, args), *(scope_interval(evidence, move) for move in args.moves)]
    return Interval(start=min(one.start for one in places), end=max(one.end for one in places))


def _healthy(evidence: Evidence, args: Alive) -> Interval:
    return phase_interval(evidence, args.phase or next(iter(evidence.phases), None))


def _dead(panels: list[RecordedPanel], healthy: Interval, name: str, args: Alive) -> tuple[list[str], list[str]]:
    """Return sentences about panels without data or with a query that is refused, and about those nobody could ask."""
    dead: list[str] = []
    open_: list[str] = []
    for panel in panels:
        for query in panel.queries:
            if query.failed == "empty" and _may_be_empty(panel, args):
                continue
            if query.failed:
                (dead if query.failed in ("refused", "empty") else open_).append(_failed(panel, query))
            elif not _may_be_empty(panel, args):
                filled = _filled(panel, query, healthy)
                if filled is None:
                    open_.append(f"{name} is too short to tell whether {panel.name} has data")
                elif filled < 0.5:
                    dead.append(f"{panel.name} has no data in {name}: {_flat(query.text) or 'its query'}")
                elif query.missing_labels:
                    names = ", ".join(query.missing_labels)
                    dead.append(f"No series of {panel.name} has the label {names} that its legend shows")
    return dead, open_


def _filled(panel: RecordedPanel, query: PanelQuery, healthy: Interval) -> float | None:
    """Return the share of points of time with a value of any series, in the later half of the healthy phase.

    The first half is left to windows that fill and to what is checked only now and then.
    """
    later = Interval(start=(healthy.start + healthy.end) / 2, end=healthy.end)
    inside = panel.within(later)
    if np.count_nonzero(inside) < 2:
        return None
    seen = [~np.isnan(one.values[inside]) for one in query.series]
    return float(np.mean(np.any(seen, axis=0))) if seen else 0.0


def _moved(evidence: Evidence, panels: list[RecordedPanel], move: Move, healthy: Interval) -> tuple[str, str]:
    """Return `moved`, `still` or `open`, and the sentence about it."""
    found = [one for one in panels if one.title == move.panel and move.dashboard in (None, one.dashboard)]
    if len(found) != 1:
        there = ", ".join(sorted({one.dashboard for one in found}))
        return "open", f"The panel {move.panel} is {f'in {there}: name one' if found else 'in no dashboard'}"
    panel, place = found[0], move.phase or move.during
    seen = list(_movements(evidence, panel, move, healthy))
    if not seen:
        return "still", f"{panel.name} did not move in {place}: it has no data"
    best = max(seen, key=lambda one: (one.moved, one.share))
    if best.share < move.share:
        needed = f"{move.share:.0%} are needed"
        return "still", f"{panel.name} did not move in {place}: {best.share:.0%} of {best.told}, {needed}"
    if not best.moved:
        return "open", f"{panel.name} may have moved in {place} by chance: {best.told}, too few values to tell"
    return "moved", f"{panel.name} moved in {place}: {best.share:.0%} of {best.told}"


def _movements(evidence: Evidence, panel: RecordedPanel, move: Move, healthy: Interval) -> Iterator[Movement]:
    place = scope_interval(evidence, move)
    every = sum(len(query.series) for query in panel.queries)
    ahead = abs(place.end - healthy.end) / healthy.seconds if healthy.seconds else 0.0
    for query in panel.queries:
        window_s = max(query.window_s, move.window) / evidence.speed
        before, during = panel.within(Interval(start=healthy.start + window_s, end=healthy.end)), panel.within(place)
        step_s = float(panel.t[1] - panel.t[0]) if len(panel.t) > 1 else 1.0
        for series in query.series:
            values = series.values[before], series.values[during]
            yield movement(series.name, *values, apart=max(window_s / step_s, 1.0), looks=every, ahead=ahead)


def _failed(panel: RecordedPanel, query: PanelQuery) -> str:
    why = {"refused": "is refused", "empty": "has nothing to ask for", "unanswered": "was not answered"}.get(
        query.failed, "could not be asked"
    )
    return f"The query {query.ref} of {panel.name} {why}: {_flat(query.says).rstrip('.')}"


def _may_be_empty(panel: RecordedPanel, args: Alive) -> bool:
    for one in args.may_be_empty:
        title, board = (one, None) if isinstance(one, str) else (one.panel, one.dashboard)
        if title == panel.title and board in (None, panel.dashboard):
            return True
    return False


def _listed(sentences: list[str]) -> str:
    more = f" (and {len(sentences) - _MOST_NAMED} more)" if len(sentences) > _MOST_NAMED else ""
    return f"{'. '.join(sentences[:_MOST_NAMED])}{more}."


def _flat(text: str) -> str:
    return " ".join(text.split())


CHECK = Check(
    summary="Every panel of the dashboards shows data in health, and the named ones move under the fault.",
    args=Alive,
    judge=judge,
    streams=("metrics",),
    window=window,
    files=("panels/",),
)
