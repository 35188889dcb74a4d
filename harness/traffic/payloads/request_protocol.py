"""How a stack is asked: the template and the form of a good request, by protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.payload_spec import V2, Shape
from tocsin.harness.traffic.payloads.body_template import Template
from tocsin.harness.traffic.payloads.payload_kind import Form

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class RequestProtocol:
    """A good request of one protocol. `v2` is there if the stack speaks the Open Inference Protocol at all."""

    template: Template
    form: Form
    v2: V2 | None = None


def asking(shape: Shape, protocol: str = "plain", environment: Mapping[str, str] = os.environ) -> RequestProtocol:
    """Return how to ask by `protocol` (plain or v2); StackError if the stack or the environment lacks something."""
    headers = tuple((name.lower(), filled(text, environment)) for name, text in shape.headers.items())
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


def filled(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return `text` with each `${env:NAME}` replaced; StackError if a variable is not set. The result is secret."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise StackError(
                f"The header {text!r} needs the environment variable {found[1]}, which is not set.",
                hint=f"Set {found[1]} where the traffic runs.",
            )
        return environment[found[1]]

    return _VARIABLE.sub(value, text)
