"""Every payload kind, and what a phase's `payload` may hold."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Declaration, Otherwise
from tocsin.harness.traffic.payloads.faulty_kinds import FAULTY
from tocsin.harness.traffic.payloads.feedback import FEEDBACK
from tocsin.harness.traffic.payloads.mix import FaultyArgs
from tocsin.harness.traffic.payloads.payload_args import NormalArgs, PayloadArgs
from tocsin.harness.traffic.payloads.payload_kind import ANSWERED, PayloadKind, good_body, in_one_line
from tocsin.harness.traffic.payloads.shifted import MISSING, SHIFTED, ShiftArgs

NORMAL = PayloadKind(name="normal", summary="a row of the live sample", declaration=ANSWERED, make=good_body)
CANARY = PayloadKind(
    name="canary", summary="a normal row sent by the canary process", declaration=ANSWERED, make=good_body
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

OF_USERS = {
    name: Declaration(status=(), counted="maybe", logged="maybe")  # a custom user may ask for anything
    for name in ("user", "user_more")
}
"""Kinds that no payload makes: the requests of custom Locust users."""


def declarations(answers: Mapping[str, Otherwise] | None = None) -> dict[str, dict[str, object]]:
    """Return kind -> what a good service does, ready for JSON; `answers` holds what a stack declares otherwise."""
    declared = {kind.name: kind.declaration.model_dump(mode="json") for kind in ALL}
    declared |= {name: declaration.model_dump(mode="json") for name, declaration in OF_USERS.items()}
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
