"""Assertions: one question per file, each a Check. To add one: its file, its test, its README heading, a line here."""

from importlib import import_module

from harness.check import Check

ALL: tuple[Check, ...] = tuple(
    import_module(f"assertions.{name}").CHECK
    for name in (
        "alerts_fire",
        "alerts_quiet",
        "alerts_resolve",
        "drift_flat",
        "drift_rises",
        "load_delivered",
        "logs_ledger",
        "metrics_agree",
        "service_answers",
    )
)
