"""The load of a run as it was offered, due and sent, phase by phase; and what limited its generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from tocsin.harness.core.journal import Fact
from tocsin.harness.declarations.load_profile import OfferedLoad, load_offered_in
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.requests import DROPPED, FAILED, KINDS

NOT_IN_RATE = ("feedback", "user_more")
"""Kinds that do not count towards the rate: delayed feedback, and further requests of a user's own task."""

IN_TIME_S = 0.5
"""A request sent at most this many wall seconds after it was due counts in the second in which it was due."""

MOST_GAPS = 1_000_000
"""Most gaps of a phase that are looked at."""

NEXT_TRY_S = 0.01
"""Shortest wait of a closed loop's user after a failed request, wall seconds."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """The requests of the load, ascending by `intended`; columns as in evidence.requests.RECORD."""

    kind: np.ndarray
    outcome: np.ndarray
    status: np.ndarray
    intended: np.ndarray
    sent: np.ndarray
    done: np.ndarray

    @classmethod
    def of(cls, evidence: Evidence) -> Load:
        """Return the load of a run: without canaries and what does not count towards the rate."""
        beside = [KINDS.index(name) for name in NOT_IN_RATE if name in KINDS]
        rows = evidence.requests
        load = rows[(rows["worker"] > 0) & ~np.isin(rows["kind"], beside)]
        return cls(**{column.name: load[column.name] for column in fields(cls)})

    def due(self, start: float, end: float) -> Load:
        """Return what was due from one time to another (epoch seconds)."""
        low, high = np.searchsorted(self.intended, [start, end])
        return self.only(slice(low, high))

    def only(self, chosen: np.ndarray | slice) -> Load:
        """Return a part: a slice, or a mask."""
        return Load(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    def __len__(self) -> int:
        return len(self.intended)

    @property
    def late_s(self) -> np.ndarray:
        """The schedule error of what was sent, seconds."""
        late_s: np.ndarray = (self.sent - self.intended)[~np.isnan(self.sent)]
        return late_s

    @property
    def begun(self) -> np.ndarray:
        """When each request was sent, put to where it was due if that was within IN_TIME_S; the dropped are left out.

        One that failed without being sent counts as begun when it was due.
        """
        begun = np.where(self.sent - self.intended > IN_TIME_S, self.sent, self.intended)
        sent: np.ndarray = begun[self.outcome != DROPPED]
        return sent


@dataclass(frozen=True, kw_only=True)
class PhaseLoad:
    """A phase, or the part of it that is looked at: from `window.start` to `window.end`, epoch seconds.

    `start` is when the phase began; `load` what was due in the window. `declared`: the run says how arrivals were
    spaced; older runs know only the rate.
    """

    name: str
    start: float
    window: Interval
    offered: OfferedLoad
    declared: bool
    load: Load

    @property
    def total(self) -> float:
        """Requests offered in the window."""
        return self.offered.between(self.window.start - self.start, self.window.end - self.start)

    def gaps(self, times: np.ndarray) -> np.ndarray:
        """Return the gaps between times (epoch seconds) on the clock on which one request is due each tick.

        Of the first MOST_GAPS: no more are needed to know their law.
        """
        gaps: np.ndarray = np.diff(self.offered.upto(np.sort(times[:MOST_GAPS]) - self.start))
        return gaps

    def seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds (epoch seconds) of the window's seconds and how many requests each offers.

        The last one may be shorter. A recording is counted in the bins in which it is declared.
        """
        start, end = self.window.start, self.window.end
        if self.offered.gaps == "recorded":
            knots = np.unique(np.array(self.offered.t_s)) + self.start
            bounds = np.concatenate([[start], knots[(knots > start) & (knots < end)], [end]])
        else:
            bounds = np.append(np.arange(start, end - 1e-6, 1.0), end)
        return bounds, np.diff(self.offered.upto(bounds - self.start))

    def busy_share(self) -> float:
        """Return the share of their time in which the users of a closed loop waited for an answer or thought.

        Less than 1: users were missing. A user's first request comes up to one think time after the start.
        """
        low, high, think_s = self.window.start, self.window.end, self.offered.think_s
        due = self.load.intended
        done = np.where(np.isnan(self.load.done), self.load.sent, self.load.done)
        done = np.fmax(done, due)
        pause_s = np.where(self.load.outcome == FAILED, max(think_s, NEXT_TRY_S), think_s)
        spent_s = (np.clip(done + pause_s, low, high) - np.clip(due, low, high)).sum()
        available_s = self.offered.users * (high - low)
        if low <= self.start:
            available_s -= min(think_s * (self.offered.users - 1) / 2, available_s / 2)
        return float(spent_s / available_s) if available_s > 0 else 0.0


def phase_loads(evidence: Evidence, window: Interval, until: float) -> Iterator[PhaseLoad]:
    """Yield the part of each played phase in `window` and before `until` (epoch seconds), in order."""
    load = Load.of(evidence)
    for phase in evidence.run["phases"]:
        played = evidence.phases.get(phase["name"])
        if played is None:
            continue
        start = played.start
        if evidence.traffic_start is not None:
            start = evidence.traffic_start + phase["start_s"] / evidence.speed
        offered = load_offered_in(phase, played.seconds)
        # the journal notes a moment later that a phase began: a phase that lies in the window is taken as planned
        low, high = window.start, min(window.end, until, start + offered.length_s)
        if window.start <= played.start:
            low = start
        if window.end >= played.end:
            high = min(until, start + offered.length_s)
        if low < high:
            yield PhaseLoad(
                name=phase["name"],
                start=start,
                window=Interval(start=low, end=high),
                offered=offered,
                declared=bool(phase.get("asked")),
                load=load.due(low, high),
            )


def reached_limits(evidence: Evidence, dropped: int) -> Iterator[tuple[str, str]]:
    """Yield which limits the generator reached, each with what to do about it."""
    for fact in evidence.facts("traffic_done"):
        worker = f"worker {fact.more.get('worker')}"
        share = _cpu_share(fact)
        if share is not None and share >= 0.9:
            yield f"{worker} used {100 * share:.0f} % of a processor core", "use more workers or a lower rate"
        yield from _in_flight_limit(fact, worker)
        queue_max = fact.more.get("queue_max")
        if dropped and queue_max and fact.more.get("waiting_max", 0) >= queue_max:
            yield f"the queue of {worker} was full with {queue_max} requests", "use more workers or a lower rate"


def _in_flight_limit(fact: Fact, worker: str) -> Iterator[tuple[str, str]]:
    bound, most = fact.more.get("in_flight_bound"), fact.more.get("in_flight_max", 0)
    if not bound or most < bound:
        return
    files = fact.more.get("descriptors")
    if files and bound >= files - 128:
        why = f"{worker} had {most} requests in flight, all that its limit of {files} open files allows"
        yield why, "raise `ulimit -n`, use more workers or a lower rate"
    else:
        why = f"{worker} had {most} requests in flight, its bound"
        yield why, "use more workers or a lower rate, or see why the service holds so many"


def cpu_shares(evidence: Evidence) -> list[float]:
    """Return the share of a processor core that each worker used; those that did not say are left out."""
    shares = [_cpu_share(fact) for fact in evidence.facts("traffic_done")]
    return [share for share in shares if share is not None]


def _cpu_share(fact: Fact) -> float | None:
    wall_s, cpu_s = fact.more.get("wall_s"), fact.more.get("cpu_s")
    return float(cpu_s) / float(wall_s) if wall_s and cpu_s is not None else None
