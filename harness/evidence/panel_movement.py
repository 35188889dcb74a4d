"""Movement: has a series left what health showed, by more than chance and its own slow wandering explain?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.harness.core.statistics import beyond_all

SURE = 0.01
"""The probability of chance below which a series counts as moved, over all series of its panel and both sides."""
_ROUNDING = 1e-5
"""Relative distance below which two values are the same: the record keeps six digits."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """`share` of the later values lies outside the allowed range on one side; `chance` is that of this by luck.

    `sentence` tells about it, to be read after the share.
    """

    series: str
    share: float
    chance: float
    sentence: str

    @property
    def moved(self) -> bool:
        """Whether chance does not explain it."""
        return self.chance <= SURE


def movement(
    name: str, before: np.ndarray, during: np.ndarray, *, apart: float = 1.0, looks: int = 1, ahead: float = 1.0
) -> Movement:
    """Compare the values of a series under a fault with those in health; nan is no value and is beyond nothing.

    What health showed, min..max, is widened on both sides by its width times `ahead`: the later phase ends so many
    lengths of the healthy one after it, and a gauge that wanders or climbs would get no further at the pace it had.

    Then Rosenbaum's test of location (Annals of Mathematical Statistics 25, 1954, p. 146): of values from one
    distribution, how likely is it that so many of one sample lie above all of the other? Values that share most of
    their window say the same, so only one in `apart` steps counts as a value of its own. The chance is taken twice,
    for both sides, and once for each of the `looks` series that could have moved. A series that health did not have
    moves by being there.
    """
    known = before[~np.isnan(before)]
    if len(known):
        low, high = float(known.min()), float(known.max())
        margin = (high - low) * max(ahead, 0.0) + _ROUNDING * max(abs(low), abs(high))
        moved = max(np.count_nonzero(during > high + margin), np.count_nonzero(during < low - margin))
        sentence = f"the values of {name} lie outside {low - margin:.4g}..{high + margin:.4g}"
        sentence += f" (in health {low:.4g}..{high:.4g})"
    else:
        moved = np.count_nonzero(~np.isnan(during))
        new = "which was not there in health" if len(before) else "and health was shorter than its window"
        sentence = f"the points of time have a value of {name}, {new}"
    share = moved / max(len(during), 1)
    trials, others = int(len(during) / apart), int((len(known) or len(before)) / apart)
    hits, chance = int(share * trials + 1e-9), 1.0
    if hits:
        chance = min(1.0, beyond_all(hits, trials, others) * 2 * max(looks, 1))
    return Movement(series=name, share=share, chance=chance, sentence=sentence)
