"""What Locust itself sends in the comparison: the same body, a unique id per request, no wait between them."""

import itertools
import json

from locust import FastHttpUser, HttpUser, constant, task

_BODY = json.dumps({"features": list(range(1, 14))})
_NUMBERS = itertools.count()


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def predict(self):
        head = {"content-type": "application/json", "x-request-id": f"bench-1-{next(_NUMBERS)}"}
        self.client.post("/predict", data=_BODY, headers=head)


class Plain(HttpUser):
    wait_time = constant(0)

    @task
    def predict(self):
        head = {"content-type": "application/json", "x-request-id": f"bench-1-{next(_NUMBERS)}"}
        self.client.post("/predict", data=_BODY, headers=head)
