"""Assertions: one question per file, each a Check. To add one: its file, its test, its README heading, a line here."""

from assertions import (
    alerts_fire,
    alerts_quiet,
    alerts_resolve,
    drift_flat,
    drift_rises,
    load_delivered,
    logs_ledger,
    metrics_agree,
    service_answers,
)
from harness.check import Check

ALL: tuple[Check, ...] = (
    alerts_fire.CHECK,
    alerts_quiet.CHECK,
    alerts_resolve.CHECK,
    drift_flat.CHECK,
    drift_rises.CHECK,
    load_delivered.CHECK,
    logs_ledger.CHECK,
    metrics_agree.CHECK,
    service_answers.CHECK,
)
