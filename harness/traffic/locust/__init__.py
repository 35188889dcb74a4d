"""The traffic process: all that imports Locust. Started as `python -m tocsin.harness.traffic.locust PLAN.json`."""
