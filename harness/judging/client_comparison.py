"""What the checks share that compare what the service says of itself with the records of its clients."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import KINDS

RACE_S = 0.1
"""Wall seconds that may lie between a scrape, or a client's answer, and what was counted for it, in either order."""


def declared(evidence: Evidence, rows: np.ndarray, declaration: str) -> np.ndarray:
    """Return per request whether its kind is `counted` or `logged`, as declared; `maybe` where nothing is."""
    by_kind = np.array([evidence.run["kinds"].get(kind, {}).get(declaration, "maybe") for kind in KINDS])
    by_row: np.ndarray = by_kind[rows["kind"]]
    return by_row


def ended(rows: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    """Return when each request ended (epoch seconds), `otherwise` where that is not known."""
    return np.where(np.isnan(rows["done"]), otherwise, rows["done"])


def scrape_times(series: Sequence[Series]) -> np.ndarray:
    """Return when any of the series was scraped, ascending."""
    return np.unique(np.concatenate([one.t for one in series]))


def last_scrape(times: np.ndarray, at: float) -> float:
    """Return the last of ascending times at or before `at` (epoch seconds), minus infinity if there is none."""
    before = times[times <= at]
    return -inf if not len(before) else float(before[-1])
