"""Ordinary rows of the live sample."""

from __future__ import annotations

from tocsin.harness.traffic.payloads.payload_kind import ANSWERED, PayloadKind, good_body

NORMAL = PayloadKind(name="normal", summary="a row of the live sample", declaration=ANSWERED, make=good_body)
CANARY = PayloadKind(
    name="canary", summary="a normal row sent by the canary process", declaration=ANSWERED, make=good_body
)
