"""What a good request looks like, by protocol: the template of its body, and its form (path, method, headers)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Literal

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import V2, Shape
from tocsin.harness.traffic.payloads.body_template import Template

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


Manner = Literal["plain", "slow_body", "abort", "truncated"]
"""How a request is sent. plain: at once and whole. slow_body: the head at once, the body in pieces over `slow_s`.
abort: the head with the whole length, half of the body, then the connection is cut (reset), and no answer is read.
truncated: the same, but only the sending side is closed, and an answer is awaited."""


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


@dataclass(frozen=True, kw_only=True)
class RequestProtocol:
    """A good request of one protocol. `v2` is there if the stack speaks the Open Inference Protocol at all."""

    template: Template
    form: Form
    v2: V2 | None = None


def request_protocol(shape: Shape, protocol: str = "plain") -> RequestProtocol:
    """Return the request of `protocol` (plain or v2); StackError if the stack or the environment lacks something."""
    headers = tuple((name.lower(), filled(text)) for name, text in shape.headers.items())
    if protocol == "plain":
        form = Form(path=shape.path, headers=headers)
        return RequestProtocol(template=Template(shape.body, shape.features), form=form, v2=shape.v2)
    if shape.v2 is None:
        raise StackError("The stack declares no `payload.v2`.", hint="Declare it, or use `protocol: plain`.")
    form = Form(path=infer_path(shape.v2.model), headers=headers)
    return RequestProtocol(template=Template(v2_body(shape.v2, len(shape.features))), form=form, v2=shape.v2)


def infer_path(model: str, version: str | None = None) -> str:
    """Return the path of the Open Inference Protocol, version 2, for a model."""
    return f"/v2/models/{model}/versions/{version}/infer" if version else f"/v2/models/{model}/infer"


def v2_body(v2: V2, features: int) -> str:
    """Return the template of a request of one row: one input tensor of shape [1, features]."""
    tensor = f'{{"name": "{v2.input}", "datatype": "{v2.datatype}", "shape": [1, {features}], "data": $row}}'
    return f'{{"inputs": [{tensor}]}}'


def filled(text: str) -> str:
    """Return `text` with each `${env:NAME}` replaced; StackError if a variable is not set. The result is secret."""

    def value(variable: re.Match[str]) -> str:
        if variable[1] not in os.environ:
            raise StackError(
                f"The header {text!r} needs the environment variable {variable[1]}, which is not set.",
                hint=f"Set {variable[1]} where the traffic runs.",
            )
        return os.environ[variable[1]]

    return _VARIABLE.sub(value, text)
