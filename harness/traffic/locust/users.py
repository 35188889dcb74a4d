"""Which Locust user plays a plan: ours over one of the clients, or a class of one's own."""

from __future__ import annotations

from locust import User

from harness.traffic.locust import own, sessions
from harness.traffic.plan import TrafficPlan


def user_class(plan: TrafficPlan) -> type[User]:
    """Return the class; StackError if a file of one's own does not give one."""
    if ".py:" in plan.users:
        return own.user_class(plan)
    if plan.client == "fasthttp":
        return sessions.fast_http(plan)
    if plan.client == "http":
        return sessions.http(plan)
    from harness.traffic.locust.sender import Predict

    return Predict
