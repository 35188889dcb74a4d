"""What a payload kind is: how it makes a request, what a good service does with it, and what any `payload` may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.declarations.request_format import Declaration, Shape
from tocsin.harness.traffic.payloads.body_template import Row
from tocsin.harness.traffic.payloads.request_protocol import Form, RequestProtocol

NOTHING = 0
"""As a status: no answer comes."""

Make = Callable[[Row, RequestProtocol], bytes]
"""Turns one row into the bytes of a body."""
MakeForm = Callable[[RequestProtocol], Form]
"""Says how a request is sent."""


def good_form(protocol: RequestProtocol) -> Form:
    """Return the form of a good request."""
    return protocol.form


@dataclass(frozen=True, kw_only=True)
class PayloadKind:
    """A kind of request. `make` turns one row into the bytes of the body; `form` says how it is sent."""

    name: str
    summary: str
    declaration: Declaration
    make: Make
    form: MakeForm = good_form
    needs_v2: bool = False


ANSWERED = Declaration(status=(200,), counted="answered", logged="yes")
"""What a good service does with a good request."""


def good_body(row: Row, protocol: RequestProtocol) -> bytes:
    """Return the row in the stack's request shape."""
    return protocol.template.fill(row)


def in_one_line(error: ValidationError) -> str:
    """Return every mistake that a model found."""
    mistakes = []
    for details in error.errors():
        where, message = ".".join(map(str, details["loc"])), details["msg"]
        mistakes.append(f"{where}: {message}" if where else message)
    return "; ".join(mistakes)


class FeedbackArgs(Frozen):
    """Send the truth of `share` of the predictions, `delay` (production time) after each."""

    share: float = Field(gt=0, le=1)
    delay: Seconds = Field(gt=0)


class PayloadArgs(Frozen):
    """By which protocol requests are sent, and whether truth follows them."""

    protocol: Literal["plain", "v2"] = "plain"
    feedback: FeedbackArgs | None = None

    def unfit(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """Yield (argument, what would be needed) for what this stack cannot be sent, before any row is read."""
        if self.protocol == "v2" and shape.v2 is None:
            yield "protocol", "plain, as the stack declares no `payload.v2`"
        if self.feedback and shape.feedback is None:
            yield "feedback", "nothing, as the stack declares no `payload.feedback`"


class NormalArgs(PayloadArgs):
    """Normal rows."""
