"""What a payload kind is: how it makes a request, and what a good service does with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from tocsin.harness.declarations.request_format import Declaration as Declaration
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
