"""What is sent: every payload kind, and the argument models a scenario's `payload` may use."""

from __future__ import annotations

from tocsin.harness.traffic.payloads.all_kinds import ALL, CANARY, CATALOGUE, DECLARATIONS, declarations, parse_payload
from tocsin.harness.traffic.payloads.dataset import Sample, load_sample
from tocsin.harness.traffic.payloads.payload_kind import PayloadKind
from tocsin.harness.traffic.payloads.request_protocol import Form

__all__ = ["ALL", "CANARY", "CATALOGUE", "DECLARATIONS", "Form", "PayloadKind", "Sample", "declarations", "load_sample"]
__all__ += ["parse_payload"]
