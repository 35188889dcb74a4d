"""What a payload kind is: how it makes a request, and what a good service does with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from tocsin.harness.declarations.payload_spec import Declaration as Declaration

if TYPE_CHECKING:
    from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol

Manner = Literal["plain", "slow_body", "abort", "truncated"]
"""How a request is sent. plain: at once and whole. slow_body: the head at once, the body in pieces over `slow_s`.
abort: the head with the whole length, half of the body, then the connection is cut (reset), and no answer is read.
truncated: the same, but only the sending side is closed, and an answer is awaited."""

NOTHING = 0
"""As a status: no answer comes."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a request is beside its body. A plan has few of them, so that a sender can encode each head once.

    `headers` are further ones, lower case; they may hold secrets and are never shown or written down.
    `slow_s` is in wall seconds, and of use only to `slow_body`. No content type: the header is left out.
    """

    path: str
    method: str = "POST"
    content_type: str = "application/json"
    manner: Manner = "plain"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    slow_s: float = 1.0


Row = Sequence[Any]
"""The values of one request, feature by feature: numbers, text, None for null, ABSENT for left out."""


@dataclass(frozen=True, kw_only=True)
class PayloadKind:
    """A kind of request. `make` turns one row into the bytes of the body; `form` says how it is sent."""

    name: str
    summary: str
    declaration: Declaration
    make: Callable[[Row, RequestProtocol], bytes]
    form: Callable[[RequestProtocol], Form] = field(default=lambda asking: asking.form)
    needs_v2: bool = False


ANSWERED = Declaration(status=(200,), counted="answered", logged="yes")
"""What a good service does with a good request."""


def good_body(row: Row, asking: RequestProtocol) -> bytes:
    """Return the row in the stack's request shape."""
    return asking.template.fill(row)


def in_one_line(error: ValidationError) -> str:
    """Return every mistake that a model found."""
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    return "; ".join(f"{where}: {message}" if where else message for where, message in found)
