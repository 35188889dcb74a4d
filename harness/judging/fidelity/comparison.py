"""Compares what an alert did in a run with what the oracle says it does in production, onset by onset.

Both sides are a state per evaluation: nothing, pending, firing. Times are production seconds from the first evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tocsin.harness.judging.fidelity.promtool_oracle import FIRING, NONE, PENDING

Verdict = Literal["same", "either way", "different", "exempt"]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One stretch of firing. `pending` is when it began to wait (None: it fired at once or from the beginning on).

    `end` is the first evaluation without it, None while it still fires at the last one.
    """

    pending: float | None
    start: float
    end: float | None

    def lasts_s(self, last: float) -> float:
        """Return for how long it fired; `last` is the time of the last evaluation."""
        return (last if self.end is None else self.end) - self.start


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One stretch of firing as the run and as the oracle saw it; None where that side saw none."""

    live: Stretch | None
    oracle: Stretch | None
    verdict: Verdict
    reason: str = ""


def stretches(states: np.ndarray, interval_s: float) -> list[Stretch]:
    """Return every stretch of firing in a row of states, one per evaluation."""
    firing = np.flatnonzero(states == FIRING)
    if not len(firing):
        return []
    breaks = np.flatnonzero(np.diff(firing) > 1)
    firsts = firing[[0, *(breaks + 1)]].tolist()
    lasts = firing[[*breaks, len(firing) - 1]].tolist()
    found = []
    for first, last in zip(firsts, lasts, strict=True):
        waiting = first
        while waiting and states[waiting - 1] == PENDING:
            waiting -= 1
        found.append(
            Stretch(
                pending=waiting * interval_s if waiting < first else None,
                start=first * interval_s,
                end=(last + 1) * interval_s if last + 1 < len(states) else None,
            )
        )
    return found


def filled(states: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the states with every evaluation that was missed (`seen` is false) as the one before it."""
    places = np.maximum.accumulate(np.where(seen, np.arange(len(states)), 0))
    return states[places] if len(states) else states


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


def _closed(found: Sequence[Stretch], tolerance_s: float) -> list[Stretch]:
    kept: list[Stretch] = []
    for one in found:
        before = kept[-1] if kept else None
        if before and before.end is not None and one.start - before.end <= tolerance_s:
            kept[-1] = Stretch(pending=before.pending, start=before.start, end=one.end)
        else:
            kept.append(one)
    return kept


def _paired(
    lives: Sequence[Stretch], oracles: Sequence[Stretch], tolerance_s: float
) -> list[tuple[Stretch | None, Stretch | None]]:
    if len(lives) == len(oracles):
        return list(zip(lives, oracles, strict=True))
    left = list(oracles)
    pairs: list[tuple[Stretch | None, Stretch | None]] = []
    for one in lives:
        near = min(left, key=lambda other: abs(other.start - one.start), default=None)
        if near is not None and (abs(near.start - one.start) <= tolerance_s or len(left) >= len(lives) - len(pairs)):
            left.remove(near)
            pairs.append((one, near))
        else:
            pairs.append((one, None))
    return pairs + [(None, other) for other in left]


def _judged(live: Stretch | None, oracle: Stretch | None, *, last: float, tolerance_s: float) -> Pair:
    lone = oracle if live is None else live if oracle is None else None
    if lone is not None:
        who = "the run" if live is not None else "the oracle"
        lasted = lone.lasts_s(last)
        verdict: Verdict = "either way" if lasted <= tolerance_s + 1e-6 else "different"
        return Pair(live=live, oracle=oracle, verdict=verdict, reason=f"only {who} saw it fire, for {lasted:g} s")
    assert live is not None and oracle is not None
    late = live.start - oracle.start
    if abs(late) > tolerance_s + 1e-6:
        return Pair(live=live, oracle=oracle, verdict="different", reason=f"its onset is {_off(late)}")
    over = (last if live.end is None else live.end) - (last if oracle.end is None else oracle.end)
    if abs(over) > tolerance_s + 1e-6:
        return Pair(live=live, oracle=oracle, verdict="different", reason=f"its end is {_off(over)}")
    return Pair(live=live, oracle=oracle, verdict="same")


def _off(seconds: float) -> str:
    return f"{abs(seconds):g} s {'later' if seconds > 0 else 'earlier'} than in production"


def without_start(states: np.ndarray, unshown: int) -> np.ndarray:
    """Return states in which the first `unshown` evaluations, which Prometheus does not show, are as the next one."""
    kept = states.copy()
    kept[:unshown] = states[unshown] if len(states) > unshown else NONE
    return kept
