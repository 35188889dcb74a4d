"""Assertions: one question per file, each a Check. To add one: its file, its test, its README heading, a line here."""

from importlib import import_module

from tocsin.harness.judging.check import Check, SuiteCheck

ALL: tuple[Check, ...] = tuple(
    import_module(f"tocsin.assertions.{name}").CHECK
    for name in (
        "alerts_deadman",
        "alerts_delivered",
        "alerts_fire",
        "alerts_grouped",
        "alerts_inhibited",
        "alerts_muted",
        "alerts_once",
        "alerts_order",
        "alerts_quiet",
        "alerts_resolve",
        "dashboards_alive",
        "drift_flat",
        "drift_rises",
        "latency_metric_agrees",
        "latency_within",
        "load_delivered",
        "logs_ledger",
        "metrics_agree",
        "rules_valid",
        "service_answers",
    )
)

SUITE: tuple[SuiteCheck, ...] = tuple(import_module(f"tocsin.assertions.{name}").CHECK for name in ("rules_covered",))
"""Questions about several drills together; they stand in a suite.yaml."""
