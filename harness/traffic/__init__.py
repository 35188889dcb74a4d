"""Traffic: what is sent (payloads), when (pacers), how (clients), and by which process (locust, canary)."""

USERS = ("predict",)
"""The users a scenario may name."""
