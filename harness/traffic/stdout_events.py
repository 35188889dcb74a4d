"""Events: what the processes of the load report, one JSON object a line on stdout."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

Event = dict[str, Any]
"""The fields of one event as JSON has them; `event` is its name."""


def emit(event: str, /, **fields: object) -> bool:
    """Write one event to stdout; False if nobody reads any more."""
    try:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True


def both_clocks() -> dict[str, float]:
    """Return what this machine's clocks show now: `wall` and `monotonic`, seconds."""
    return {"wall": time.time(), "monotonic": time.monotonic()}


def clocks_of(*events: Event) -> list[dict[str, float]]:
    """Return what the clocks showed at each event that says so, in order."""
    return [{"wall": event["wall"], "monotonic": event["monotonic"]} for event in events if "monotonic" in event]
