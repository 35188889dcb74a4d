"""What a payload kind is: how it makes a request's body, and what a good service does with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from harness.stack import Frozen


class Declaration(Frozen):
    """What a good service does: the statuses it may answer, which request count it raises, whether it logs a line.

    `counted` names a field of the stack's `signals.requests`. The declarations are written into the evidence.
    """

    status: tuple[int, ...]
    counted: Literal["answered", "failed", "refused"]
    logged: Literal["yes", "no", "maybe"]


@dataclass(frozen=True, kw_only=True)
class Template:
    """A stack's request body with `$row` where the values go."""

    body: str

    def fill(self, row: Sequence[float]) -> bytes:
        """Return the body with `row` as a JSON array; a nan becomes the literal NaN, which strict JSON forbids."""
        return self.body.replace("$row", json.dumps(list(row))).encode()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of request. `make` turns the values of one row and the template into the bytes of the body."""

    name: str
    summary: str
    declaration: Declaration
    make: Callable[[Sequence[float], Template], bytes]


ANSWERED = Declaration(status=(200,), counted="answered", logged="yes")
"""What a good service does with a good request."""


def in_one_line(error: ValidationError) -> str:
    """Return every mistake that a model found."""
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    return "; ".join(f"{where}: {message}" if where else message for where, message in found)


def declared(kinds: Sequence[Kind]) -> Mapping[str, Mapping[str, object]]:
    """Return kind name -> declaration, ready for JSON."""
    return {kind.name: kind.declaration.model_dump(mode="json") for kind in kinds}
