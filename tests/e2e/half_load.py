"""Tocsin with one thing wrong in itself: the generator is told to send half of what the scenario asks."""

import sys

from tocsin.harness.cli import main
from tocsin.harness.runner import load_control

whole = load_control.traffic_plan


def half(timeline, sending):  # type: ignore[no-untyped-def]
    plan = whole(timeline, sending)
    for phase in plan["phases"]:
        phase["asked"]["rate_per_s"] = [rate / 2 for rate in phase["asked"]["rate_per_s"]]
    return plan


load_control.traffic_plan = half
sys.exit(main())
