"""Rewrites health checks to run often until a container is healthy, which its start waits for, and then no more.

A check is a process in the container and uses its CPU and memory. On a small machine the checks of a whole stack would
disturb what is measured, and one in a container short of memory would end it.
"""

from __future__ import annotations

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.engines.compose.compose_validation import ComposeDict, ComposeObject

START_INTERVAL_S, INTERVAL_S = 0.5, 86_400.0
_SINCE = 25
"""The first version of the Docker engine that knows `start_interval`."""
_DEFAULT = {"interval": "30s", "retries": 3, "start_period": "0s"}  # Docker's own


def knows_start_interval(version: str) -> bool:
    """Return whether a Docker engine of this version knows `start_interval`."""
    major = version.partition(".")[0]
    return major.isdigit() and int(major) >= _SINCE


def only_until_healthy(check: ComposeObject) -> ComposeDict:
    """Return a health check that runs often until it succeeds or its time is over, and then once a day.

    Its time stays what it was: the start period, and as many intervals as there were retries.
    """
    if check.get("disable") or "test" not in check:
        return dict(check)
    settings = {**_DEFAULT, **check}
    interval_s = parse_duration(str(settings["interval"]))
    time_s = parse_duration(str(settings["start_period"])) + interval_s * int(settings["retries"])
    return {
        **check,
        "start_period": format_duration(time_s),
        "start_interval": format_duration(min(interval_s, START_INTERVAL_S)),
        "interval": format_duration(max(interval_s, INTERVAL_S)),
        "retries": 1,
    }
