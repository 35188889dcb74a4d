"""What is sent: every payload kind, and the argument models a scenario's `payload` may use."""

from __future__ import annotations

from tocsin.harness.traffic.payloads.all_kinds import ALL, CATALOGUE, DECLARATIONS, declarations, parse_payload
from tocsin.harness.traffic.payloads.body_template import Template
from tocsin.harness.traffic.payloads.feedback import Feedback
from tocsin.harness.traffic.payloads.mix import FaultyArgs
from tocsin.harness.traffic.payloads.normal import CANARY, NORMAL
from tocsin.harness.traffic.payloads.payload_args import FeedbackArgs, NormalArgs, PayloadArgs
from tocsin.harness.traffic.payloads.payload_kind import Declaration, PayloadKind
from tocsin.harness.traffic.payloads.request_protocol import Form, RequestProtocol
from tocsin.harness.traffic.payloads.row_sample import Sample, load_sample
from tocsin.harness.traffic.payloads.shifted import ShiftArgs

__all__ = [
    "ALL",
    "CANARY",
    "CATALOGUE",
    "DECLARATIONS",
    "NORMAL",
    "RequestProtocol",
    "Declaration",
    "FaultyArgs",
    "Feedback",
    "FeedbackArgs",
    "Form",
    "PayloadKind",
    "NormalArgs",
    "PayloadArgs",
    "Sample",
    "ShiftArgs",
    "Template",
    "declarations",
    "load_sample",
    "parse_payload",
]
