"""The whole load of a plan, worked out before the first request: pure, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.evidence.requests import KINDS
from harness.traffic.pacers import ALL as PACERS
from harness.traffic.payloads import ALL, FaultyArgs, Sample, ShiftArgs, parse_payload
from harness.traffic.payloads.faulty import spread
from harness.traffic.payloads.shifted import shifted_rows
from harness.traffic.plan import TrafficPhase, TrafficPlan

_KIND = {name: index for index, name in enumerate(KINDS)}


class Due(NamedTuple):
    """A request to come: wall seconds from the start of play, place in KINDS, and the body."""

    at_s: float
    kind: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class PhaseLoad:
    """The requests of one phase: when (wall seconds from the start of play), of which kind, from which of `rows`."""

    at_s: np.ndarray
    kinds: np.ndarray
    places: np.ndarray
    rows: np.ndarray
    sample: Sample

    def requests(self) -> Iterator[Due]:
        """Yield the requests in order; bodies are made one by one, which takes some microseconds each."""
        template = self.sample.template
        for at_s, kind, place in zip(self.at_s.tolist(), self.kinds.tolist(), self.places.tolist(), strict=True):
            yield Due(at_s, kind, ALL[kind].make(self.rows[place].tolist(), template))


def phase_load(plan: TrafficPlan, index: int, sample: Sample) -> PhaseLoad:
    """Work out one phase. Rows are drawn from the live sample with replacement; nothing lies outside [start, end)."""
    phase = plan.phases[index]
    times, choices = np.random.default_rng([plan.seed, plan.worker, index]).spawn(2)
    at_s = phase.start_s + PACERS[phase.arrivals](phase.rate_per_s, phase.end_s - phase.start_s, times)
    at_s = at_s[at_s < phase.end_s]
    kinds, rows = _payload(phase, len(at_s), sample)
    return PhaseLoad(
        at_s=at_s, kinds=kinds, places=choices.integers(len(rows), size=len(at_s)), rows=rows, sample=sample
    )


def loads(plan: TrafficPlan, sample: Sample) -> tuple[PhaseLoad, ...]:
    """Work out every phase, in order."""
    return tuple(phase_load(plan, index, sample) for index in range(len(plan.phases)))


def _payload(phase: TrafficPhase, count: int, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    args = parse_payload(phase.payload)
    if isinstance(args, ShiftArgs):
        return np.full(count, _KIND["shifted"], np.uint8), shifted_rows(sample, args)
    if isinstance(args, FaultyArgs):
        names = spread(args, count)
        return np.array([_KIND[name] for name in names], np.uint8), sample.live
    return np.full(count, _KIND["normal"], np.uint8), sample.live
