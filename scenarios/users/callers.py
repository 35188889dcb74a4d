"""Callers of the reference service: most ask for a prediction at once, some look first whether it is ready."""

from __future__ import annotations

from locust import FastHttpUser, task

from tocsin.harness.traffic.locust.custom_users import Arrival


class Caller(FastHttpUser):
    """One caller. An arrival of the scenario makes it run one of its tasks."""

    arrival: Arrival

    @task(9)
    def predict(self) -> None:
        """Send the request that the scenario's payload asks for."""
        form = self.arrival.form
        headers = {"content-type": form.content_type, **dict(form.headers)}
        with self.client.post(form.path, data=self.arrival.body, headers=headers, catch_response=True) as answer:
            if "prediction" not in answer.text:
                answer.failure("no prediction in the answer")

    @task(1)
    def look_first(self) -> None:
        """Ask whether the service is ready, then for a prediction: two requests, the second is a `user_more`."""
        self.client.get("/readyz")
        self.predict()
