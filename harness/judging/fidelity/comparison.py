"""Compares what an alert did in a run with what the oracle says it does in production, onset by onset.

Both sides are a state per evaluation: nothing, pending, firing. Times are production seconds from the first evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tocsin.harness.judging.fidelity.promtool_oracle import FIRING, NONE, PENDING

_SAME_S = 1e-6
"""Production seconds by which times may differ through rounding alone."""
Verdict = Literal["same", "either way", "different", "exempt"]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One stretch of firing. `pending` is when it began to wait (None: it fired at once or from the beginning on).

    `end` is the first evaluation without it, None while it still fires at the last one.
    """

    pending: float | None
    start: float
    end: float | None

    def end_by(self, last: float) -> float:
        """Return its end, or `last`, the time of the last evaluation, while it fires."""
        return last if self.end is None else self.end


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One stretch of firing as the run and as the oracle saw it; None where that side saw none."""

    live: Stretch | None
    oracle: Stretch | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One alert's stretch of firing, live and by the oracle; both None: silent. Epoch seconds of the run.

    Pair's times are production seconds from the group's first evaluation, which was at `origin`.
    """

    alert: str
    labels: Mapping[str, str]
    group: str
    oracle: str
    origin: float
    tolerance_s: float
    pair: Pair


def stretches(states: np.ndarray, interval_s: float) -> list[Stretch]:
    """Return every stretch of firing in a row of states, one per evaluation."""
    firing = np.flatnonzero(states == FIRING)
    if not len(firing):
        return []
    breaks = np.flatnonzero(np.diff(firing) > 1)
    firsts = firing[[0, *(breaks + 1)]].tolist()
    lasts = firing[[*breaks, len(firing) - 1]].tolist()
    every = []
    for first, last in zip(firsts, lasts, strict=True):
        waiting, pending, end = first, None, None
        while waiting and states[waiting - 1] == PENDING:
            waiting -= 1
            pending = waiting * interval_s
        if last + 1 < len(states):
            end = (last + 1) * interval_s
        every.append(Stretch(pending=pending, start=first * interval_s, end=end))
    return every


def filled(states: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the states with every evaluation that was missed (`seen` is false) as the one before it."""
    if not len(states):
        return states
    return states[np.maximum.accumulate(np.where(seen, np.arange(len(states)), 0))]


def compare(live: np.ndarray, oracle: np.ndarray, *, interval_s: float, tolerance_s: float) -> list[Pair]:
    """Return the stretches of both sides in pairs, each with its verdict.

    Equally many are paired in order. Otherwise holes no longer than the tolerance are closed on both sides first, and
    what then has no partner is different; unless it lasted no longer than the tolerance itself, which may fall either
    way.
    """
    last = (max(len(live), len(oracle)) - 1) * interval_s
    lives, oracles = stretches(live, interval_s), stretches(oracle, interval_s)
    if len(lives) != len(oracles):
        lives, oracles = _closed(lives, tolerance_s), _closed(oracles, tolerance_s)
    return [_judged(*pair, last=last, tolerance_s=tolerance_s) for pair in _paired(lives, oracles, tolerance_s)]


def _closed(stretches: Sequence[Stretch], tolerance_s: float) -> list[Stretch]:
    kept: list[Stretch] = []
    for stretch in stretches:
        before = kept[-1:]
        if before and before[0].end is not None and stretch.start - before[0].end <= tolerance_s:
            kept[-1] = replace(before[0], end=stretch.end)
        else:
            kept.append(stretch)
    return kept


def _paired(
    lives: Sequence[Stretch], oracles: Sequence[Stretch], tolerance_s: float
) -> list[tuple[Stretch | None, Stretch | None]]:
    if len(lives) == len(oracles):
        return list(zip(lives, oracles, strict=True))
    left = list(oracles)
    pairs: list[tuple[Stretch | None, Stretch | None]] = []
    for live in lives:
        near = min(left, key=lambda other: abs(other.start - live.start), default=None)
        if near is not None and (abs(near.start - live.start) <= tolerance_s or len(left) >= len(lives) - len(pairs)):
            left.remove(near)
            pairs.append((live, near))
        else:
            pairs.append((live, None))
    return pairs + [(None, other) for other in left]


def _judged(live: Stretch | None, oracle: Stretch | None, *, last: float, tolerance_s: float) -> Pair:
    if live is None or oracle is None:
        return _lone(live, oracle, last=last, tolerance_s=tolerance_s)
    late_s = {"onset": live.start - oracle.start, "end": live.end_by(last) - oracle.end_by(last)}
    for edge, seconds in late_s.items():
        if seconds > tolerance_s + _SAME_S:
            reason = f"its {edge} is {seconds:g} s later than in production"
            return Pair(live=live, oracle=oracle, verdict="different", reason=reason)
        if -seconds > tolerance_s + _SAME_S:
            reason = f"its {edge} is {-seconds:g} s earlier than in production"
            return Pair(live=live, oracle=oracle, verdict="different", reason=reason)
    return Pair(live=live, oracle=oracle, verdict="same")


def _lone(live: Stretch | None, oracle: Stretch | None, *, last: float, tolerance_s: float) -> Pair:
    """Return the pair of a stretch that one side alone saw."""
    pair = Pair(live=live, oracle=oracle, verdict="same")
    for who, stretch in (("the run", live), ("the oracle", oracle)):
        if stretch is not None:
            lasted_s = stretch.end_by(last) - stretch.start
            pair = replace(pair, verdict="different", reason=f"only {who} saw it fire, for {lasted_s:g} s")
            if lasted_s <= tolerance_s + _SAME_S:
                return replace(pair, verdict="either way")
    return pair


def without_start(states: np.ndarray, unshown: int) -> np.ndarray:
    """Return states in which the first `unshown` evaluations, which Prometheus does not show, are as the next one."""
    shown = states.copy()
    shown[:unshown] = NONE
    if len(states) > unshown:
        shown[:unshown] = states[unshown]
    return shown
