"""Ordinary rows of the live sample."""

from __future__ import annotations

from tocsin.harness.traffic.payloads.payload_kind import ANSWERED, Kind, good_body

NORMAL = Kind(name="normal", summary="a row of the live sample", declaration=ANSWERED, make=good_body)
CANARY = Kind(name="canary", summary="a normal row sent by the canary process", declaration=ANSWERED, make=good_body)
