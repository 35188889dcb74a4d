"""Works out the whole load of a plan, block by block: pure, and for one seed the same on any number of workers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.load_plan import TrafficPhase, TrafficPlan
from tocsin.harness.traffic.pacers.replay import kept
from tocsin.harness.traffic.payloads import Sample
from tocsin.harness.traffic.payloads.phase_content import BLOCK, Feedback, PhaseContent, content
from tocsin.harness.traffic.payloads.request_protocol import Form

FEEDBACK_INDEX = 500_000_000
"""The index of a feedback request is that of its prediction plus this."""
FASTEST_S = 1e-4
"""A user of a closed loop is not answered sooner; with it the numbers of the following phases are kept free."""
MOST_PER_S = 100_000
"""Nor do all of them together send more per second."""

_FEEDBACK = KINDS.index("feedback")
_TIMES = 1
"""Marks the random stream of arrival times."""


class Due(NamedTuple):
    """A request to come: when, its number in the whole plan, place in KINDS, place in the phase's forms, the body.

    `at_s` is in wall seconds from the start of play; nan in a closed loop, where it is due when its user is ready.
    """

    at_s: float
    index: int  # type: ignore[assignment]  # a tuple's own `index` is of no use here
    kind: int
    form: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class ClosedLoad:
    """This worker's part of a closed loop: how many users, and what each thinks (wall seconds) after an answer."""

    users: int
    think_s: float
    _first: int = 0
    _workers: int = 1
    _everybody: int = 1

    def first_s(self, user: int) -> float:
        """Return when a user (0 to users - 1) is first ready, from the phase's start: all are spread over one think."""
        return self.think_s * (self._first + user * self._workers) / self._everybody


@dataclass(order=True)
class _Feedback:
    """A truth on its way: due `at_s`, about the prediction `about`."""

    at_s: float
    about: int
    form: int = field(compare=False)
    body: Callable[[], bytes] = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class PhaseRequests:
    """One worker's share of the requests of one phase. `count` is that of all workers, without feedback.

    `requests` may be called once, phase after phase: truths that are due in a later phase are handed on to it.
    """

    start_s: float
    end_s: float
    count: int
    forms: tuple[Form, ...]
    content: PhaseContent
    closed: ClosedLoad | None
    _plan: TrafficPlan
    _place: int
    _first: int
    _feedback_form: int
    _pending: list[_Feedback]

    def requests(self) -> Iterator[Due]:
        """Yield this worker's requests in order. A block is made when its first request is asked for."""
        while self._pending and self._pending[0].at_s < self.start_s:  # due in a closed loop, which sends none
            heapq.heappop(self._pending)
        first = 0
        for at_s in _blocks(self._plan, self._place):
            yield from self._block(first, at_s)
            first += len(at_s)
        yield from self._truths(self.end_s)

    def _block(self, first: int, at_s: np.ndarray) -> Iterator[Due]:
        due_s, feedback = at_s, self.content.feedback
        if self.closed is not None:
            due_s, feedback = self._guessed(first, len(at_s)), None
        batch = self.content.batch(first, due_s)
        index, step = self._first + first, self._plan.workers
        kinds, forms, times = batch.kinds.tolist(), batch.forms.tolist(), (at_s + self.start_s).tolist()
        last = math.nextafter(self.end_s, 0.0)
        for i in range((self._plan.worker - 1 - index) % step, len(times), step):
            at = min(times[i], last)  # a sum may round up to the phase's end; nan in a closed loop
            if self._pending and self._pending[0].at_s <= at:
                yield from self._truths(at)
            yield Due(at, index + i, kinds[i], forms[i], batch.body(i))
            if feedback is not None and batch.truth is not None and batch.feedback[i]:
                self._expect(at + feedback.delay_s, index + i, int(batch.truth[i]), feedback)

    def _guessed(self, first: int, size: int) -> np.ndarray:
        """Return about when each request of a closed loop falls due: the payload may change with time."""
        asked = self._plan.phases[self._place].asked
        each_s = max(asked.think_s, FASTEST_S) / max(asked.users, 1)
        guessed: np.ndarray = np.minimum((first + np.arange(size)) * each_s, self.end_s - self.start_s)
        return guessed

    def _expect(self, at_s: float, about: int, truth: int, feedback: Feedback) -> None:
        request_id = f"{self._plan.run_id}-{self._plan.worker}-{about}"
        body = lambda: feedback.body(request_id, truth)  # noqa: E731
        heapq.heappush(self._pending, _Feedback(at_s, about, self._feedback_form, body))

    def _truths(self, until_s: float) -> Iterator[Due]:
        while self._pending and self._pending[0].at_s < until_s:
            due = heapq.heappop(self._pending)
            place = len(self.content.forms) + due.form
            yield Due(due.at_s, FEEDBACK_INDEX + due.about, _FEEDBACK, place, due.body())


def loads(plan: TrafficPlan, sample: Sample) -> tuple[PhaseRequests, ...]:
    """Work out every phase, in order. Only counts: what a phase sends is made as it is asked for."""
    contents = [
        content(phase.payload, sample, seed=(plan.seed, place), speed=plan.speed)
        for place, phase in enumerate(plan.phases)
    ]
    truths = [phase_content.feedback.form for phase_content in contents if phase_content.feedback is not None]
    pending: list[_Feedback] = []
    loads, first = [], 0
    for place, (phase, phase_content) in enumerate(zip(plan.phases, contents, strict=True)):
        feedback_form = 0
        if phase_content.feedback is not None:
            feedback_form = truths.index(phase_content.feedback.form)
        load = PhaseRequests(
            start_s=phase.start_s,
            end_s=phase.end_s,
            count=_count(plan, place),
            forms=(*phase_content.forms, *truths),
            content=phase_content,
            closed=_closed(plan, phase.asked),
            _plan=plan,
            _place=place,
            _first=first,
            _feedback_form=feedback_form,
            _pending=pending,
        )
        first += load.count
        loads.append(load)
    return tuple(loads)


def _closed(plan: TrafficPlan, asked: OfferedLoad) -> ClosedLoad | None:
    if asked.gaps != "closed":
        return None
    users = len(range(plan.worker - 1, asked.users, plan.workers))
    return ClosedLoad(
        users=users, think_s=asked.think_s, _first=plan.worker - 1, _workers=plan.workers, _everybody=asked.users
    )


def _count(plan: TrafficPlan, place: int) -> int:
    """Return the number of requests of a phase; for a closed loop more than can be sent, so that numbers stay apart."""
    phase = plan.phases[place]
    asked, length_s = phase.asked, phase.end_s - phase.start_s
    if asked.gaps == "closed":
        most = asked.users * (length_s / max(asked.think_s, FASTEST_S) + 1)
        return math.ceil(min(most, MOST_PER_S * length_s + asked.users))
    if asked.gaps == "constant":
        return math.ceil(round(asked.total, 6))
    if phase.recording is not None:
        return len(_recorded(plan, phase))
    return sum(len(counts) for counts in _exponential(plan, place))


def _blocks(plan: TrafficPlan, place: int) -> Iterator[np.ndarray]:
    """Yield the times of a phase's requests, seconds from its start, at most BLOCK at a time; nan in a closed loop."""
    phase = plan.phases[place]
    if phase.asked.gaps == "poisson":
        for counts in _exponential(plan, place):
            yield phase.asked.when(counts)
        return
    recorded, count = None, _count(plan, place)
    if phase.recording is not None:
        recorded = _recorded(plan, phase)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        if recorded is not None:
            yield recorded[first:last]
        elif phase.asked.gaps == "closed":
            yield np.full(last - first, np.nan)
        else:
            yield phase.asked.when(np.arange(first, last, dtype=np.float64))


def _exponential(plan: TrafficPlan, place: int) -> Iterator[np.ndarray]:
    """Yield, block by block, the arrivals of a Poisson process of rate 1 below the phase's total.

    The inverse of the cumulative rate turns them into a Poisson process of the asked rate (Cinlar, Introduction to
    Stochastic Processes, 1975, section 4.7).
    """
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(_TIMES, place)))
    total, reached = plan.phases[place].asked.total, 0.0
    while True:
        counts = reached + np.cumsum(rng.exponential(1.0, BLOCK))
        reached = float(counts[-1])
        if reached >= total:
            left = counts[: int(np.searchsorted(counts, total))]
            if len(left):
                yield left
            return
        yield counts


def _recorded(plan: TrafficPlan, phase: TrafficPhase) -> np.ndarray:
    assert phase.recording is not None
    recording = phase.recording
    times = kept(recording.path, recording.speed, plan.seed)
    length_s = (phase.end_s - phase.start_s) * recording.speed
    low, high = np.searchsorted(times, [recording.from_s, recording.from_s + length_s - 1e-9])
    recorded: np.ndarray = (times[low:high] - recording.from_s) / recording.speed
    return recorded
