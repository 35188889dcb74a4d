"""Delayed truth: `POST /feedback` tells the service what a prediction should have been."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tocsin.harness.traffic.payloads.body_template import Row, Template
from tocsin.harness.traffic.payloads.payload_kind import Declaration, PayloadKind
from tocsin.harness.traffic.payloads.request_protocol import Form, RequestProtocol

NAMES = ("request_id", "label")
"""What the template of a feedback's body may name."""


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """How truth is sent: for `share` of the predictions, `delay_s` wall seconds after each was due."""

    share: float
    delay_s: float
    form: Form
    template: Template

    def body(self, request_id: str, truth: int) -> bytes:
        """Return the body that tells the truth about one prediction."""
        return self.template.fill((request_id, truth))


def _example(row: Row, protocol: RequestProtocol) -> bytes:
    """The rows of a feedback are a request id and a label, not features; PhaseContent makes its bodies."""
    return json.dumps({"request_id": "", "label": 0}).encode()


FEEDBACK = PayloadKind(
    name="feedback",
    summary="the true class of an earlier prediction",
    # 404: the prediction failed, or was forgotten when the service restarted
    declaration=Declaration(status=(200, 202, 204, 404), counted="no", logged="no"),
    make=_example,
)
