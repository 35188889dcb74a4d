"""Chooses the Locust user class that plays a plan: ours over one of the clients, or a custom class."""

from __future__ import annotations

from locust import User

from tocsin.harness.traffic.load_plan import TrafficPlan
from tocsin.harness.traffic.locust import custom_users, locust_clients


def user_class(plan: TrafficPlan) -> type[User]:
    """Return the class; StackError if the file of custom users does not give one."""
    if ".py:" in plan.users:
        return custom_users.user_class(plan)
    if plan.client == "fasthttp":
        return locust_clients.fast_http(plan)
    if plan.client == "http":
        return locust_clients.http(plan)
    from tocsin.harness.traffic.locust.load_generator import Predict

    return Predict
