"""What is sent: every payload kind, and the argument models a scenario's `payload` may use."""

from __future__ import annotations

from harness.traffic.payloads.args import FeedbackArgs, NormalArgs, PayloadArgs
from harness.traffic.payloads.asking import Asking
from harness.traffic.payloads.base import Declaration, Form, Kind
from harness.traffic.payloads.feedback import Feedback
from harness.traffic.payloads.kinds import ALL, CATALOGUE, DECLARATIONS, declarations, parse_payload
from harness.traffic.payloads.mix import FaultyArgs
from harness.traffic.payloads.normal import CANARY, NORMAL
from harness.traffic.payloads.sample import Sample, load_sample
from harness.traffic.payloads.shifted import ShiftArgs
from harness.traffic.payloads.template import Template

__all__ = [
    "ALL",
    "CANARY",
    "CATALOGUE",
    "DECLARATIONS",
    "NORMAL",
    "Asking",
    "Declaration",
    "FaultyArgs",
    "Feedback",
    "FeedbackArgs",
    "Form",
    "Kind",
    "NormalArgs",
    "PayloadArgs",
    "Sample",
    "ShiftArgs",
    "Template",
    "declarations",
    "load_sample",
    "parse_payload",
]
