"""What is sent: every payload kind, and the argument models a scenario's `payload` may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.errors import StackError
from harness.traffic.payloads.base import Declaration, Kind, Template, declared, in_one_line
from harness.traffic.payloads.faulty import FAULTY, FaultyArgs
from harness.traffic.payloads.normal import CANARY, NORMAL
from harness.traffic.payloads.sample import Sample, load_sample
from harness.traffic.payloads.shifted import SHIFTED, ShiftArgs, achieved_shift

ALL: tuple[Kind, ...] = (NORMAL, CANARY, SHIFTED, *FAULTY)
"""Every kind, in the order of evidence.requests.KINDS."""

CATALOGUE: Mapping[str, type[BaseModel]] = {"shift": ShiftArgs, "faulty": FaultyArgs}
"""The key that a phase's `payload` must hold -> the model of the whole payload. An empty payload is normal."""

DECLARATIONS = declared(ALL)
"""Kind -> what a good service answers, counts and logs; written into the evidence."""

__all__ = [
    "ALL",
    "CATALOGUE",
    "DECLARATIONS",
    "Declaration",
    "FaultyArgs",
    "Kind",
    "Sample",
    "ShiftArgs",
    "Template",
    "achieved_shift",
    "load_sample",
    "parse_payload",
]


def parse_payload(payload: Mapping[str, Any]) -> ShiftArgs | FaultyArgs | None:
    """Return the arguments of a phase's `payload`, None for normal rows; StackError if it is neither."""
    if not payload:
        return None
    named = [key for key in CATALOGUE if key in payload]
    if len(named) != 1:
        raise StackError(f"The payload {dict(payload)} must hold exactly one of {', '.join(CATALOGUE)}, or be empty.")
    try:
        args = CATALOGUE[named[0]].model_validate(dict(payload))
    except ValidationError as error:
        raise StackError(f"The payload {dict(payload)} is wrong: {in_one_line(error)}.") from None
    assert isinstance(args, ShiftArgs | FaultyArgs)
    return args
