"""Ordinary rows of the live sample."""

from __future__ import annotations

from collections.abc import Sequence

from harness.traffic.payloads.base import ANSWERED, Kind, Template


def body(row: Sequence[float], template: Template) -> bytes:
    """Return the row in the stack's request shape."""
    return template.fill(row)


NORMAL = Kind(name="normal", summary="a row of the live sample", declaration=ANSWERED, make=body)
CANARY = Kind(name="canary", summary="a normal row sent by the canary process", declaration=ANSWERED, make=body)
