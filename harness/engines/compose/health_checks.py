"""Health checks of a run's containers: often until they are healthy, which the start waits for, then no more.

A check is a process of its own in the container, and what it takes is the container's: on a small machine those of a
whole stack take much of a processor away from what is measured, and one in a container short of memory ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.harness.core.clock import format_duration, parse_duration

START_INTERVAL_S, INTERVAL_S = 0.5, 86_400.0
_SINCE = 25
"""The version of the Docker engine since which a check may come more often until the container is healthy."""
_DEFAULT = {"interval": "30s", "retries": 3, "start_period": "0s"}  # Docker's own


def able(engine: str) -> bool:
    """Tell whether an engine of this version tells the start from the rest."""
    major = engine.partition(".")[0]
    return major.isdigit() and int(major) >= _SINCE


def once(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a health check that comes often until it succeeds or its time is over, and then once a day.

    Its time is what it had: the start period, and as many intervals as there were retries.
    """
    if check.get("disable") or "test" not in check:
        return dict(check)
    said = {**_DEFAULT, **check}
    interval_s = parse_duration(str(said["interval"]))
    most_s = parse_duration(str(said["start_period"])) + interval_s * int(said["retries"])
    return {
        **check,
        "start_period": format_duration(most_s),
        "start_interval": format_duration(min(interval_s, START_INTERVAL_S)),
        "interval": format_duration(max(interval_s, INTERVAL_S)),
        "retries": 1,
    }
