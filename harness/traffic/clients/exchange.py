"""What became of one request."""

from __future__ import annotations

import math
from typing import NamedTuple

from tocsin.harness.evidence.requests import DROPPED


class Exchange(NamedTuple):
    """Place in OUTCOMES, HTTP status (0: none), and epoch seconds as in RECORD."""

    outcome: int
    status: int
    sent: float
    first_byte: float
    done: float


NEVER_SENT = Exchange(DROPPED, 0, math.nan, math.nan, math.nan)
"""A request that this side could not or would not send."""
