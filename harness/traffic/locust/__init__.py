"""The traffic process: all that imports Locust. Started as `python -m harness.traffic.locust PLAN.json`."""
