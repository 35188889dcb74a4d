"""Every payload kind, and what a phase's `payload` may hold."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Declaration, Otherwise
from tocsin.harness.traffic.payloads.body_template import Row
from tocsin.harness.traffic.payloads.faulty_kinds import FAULTY
from tocsin.harness.traffic.payloads.mix import FaultyArgs
from tocsin.harness.traffic.payloads.payload_kind import (
    ANSWERED,
    NormalArgs,
    PayloadArgs,
    PayloadKind,
    good_body,
    in_one_line,
)
from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol
from tocsin.harness.traffic.payloads.shifted import MISSING, SHIFTED, ShiftArgs

NORMAL = PayloadKind(name="normal", summary="a row of the live sample", declaration=ANSWERED, make=good_body)
CANARY = PayloadKind(
    name="canary", summary="a normal row sent by the canary process", declaration=ANSWERED, make=good_body
)


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

ALL: tuple[PayloadKind, ...] = (NORMAL, CANARY, SHIFTED, *FAULTY, MISSING, FEEDBACK)
"""Every kind, in the order of evidence.requests.KINDS."""

CATALOGUE: Mapping[str, type[BaseModel]] = {
    "shift": ShiftArgs,
    "faulty": FaultyArgs,
    "feedback": NormalArgs,
    "protocol": NormalArgs,
}
"""A key of a phase's `payload` -> the model of the whole payload: the first that is there decides. Empty is normal."""

_OF_USERS = Declaration(status=(), counted="maybe", logged="maybe")
"""The requests of custom Locust users, which no payload makes: they may ask for anything."""


def declarations(answers: Mapping[str, Otherwise] | None = None) -> dict[str, dict[str, object]]:
    """Return kind -> what a good service does, ready for JSON; `answers` holds what a stack declares otherwise."""
    declared = {kind.name: kind.declaration.model_dump(mode="json") for kind in ALL}
    declared |= {name: _OF_USERS.model_dump(mode="json") for name in ("user", "user_more")}
    for name, otherwise in (answers or {}).items():
        if name in declared:
            declared[name] |= otherwise.model_dump(mode="json", exclude_none=True)
    return declared


DECLARATIONS = declarations()
"""Kind -> what a good service answers, counts and logs; written into the evidence."""


def parse_payload(payload: Mapping[str, object]) -> PayloadArgs:
    """Return the arguments of a phase's `payload`; StackError if it is none of CATALOGUE."""
    named = [key for key in ("shift", "faulty") if key in payload]
    if len(named) > 1:
        raise StackError(f"The payload {dict(payload)} holds both shift and faulty; a phase holds one of them.")
    model = CATALOGUE[named[0] if named else "protocol"]
    try:
        args = model.model_validate(dict(payload))
    except ValidationError as error:
        raise StackError(f"The payload {dict(payload)} is wrong: {in_one_line(error)}.") from None
    assert isinstance(args, PayloadArgs)
    return args
