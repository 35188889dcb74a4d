"""The `payload` section of stack.yaml: what a request and its answer look like, and which rows are sent."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from pydantic import AfterValidator, Field, model_validator

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.errors import StackError


class Declaration(Frozen):
    """What a good service does: the statuses it may answer, which request count it raises, whether it logs a line.

    A status of 0 is no answer; no status listed is any. `counted` names a field of the stack's `signals.requests`;
    `by_status` is the one that the answer's status says, `no` is none of them, `maybe` leaves it open.
    """

    status: tuple[int, ...]
    counted: Literal["answered", "failed", "refused", "by_status", "no", "maybe"]
    logged: Literal["yes", "no", "maybe"]


class Otherwise(Frozen):
    """What a service does otherwise than a Declaration says; what is left out stays."""

    status: tuple[int, ...] | None = None
    counted: Literal["answered", "failed", "refused", "by_status", "no", "maybe"] | None = None
    logged: Literal["yes", "no", "maybe"] | None = None


class V2(Frozen):
    """How the Open Inference Protocol, version 2, names the model, its input tensor and the tensor's datatype."""

    model: str
    input: str = "features"
    datatype: str = "FP64"


class FeedbackShape(Frozen):
    """Where delayed truth goes. `$request_id` and `$label` in `body` stand for a prediction's id and its true class."""

    path: str = "/feedback"
    body: str = '{"request_id": $request_id, "label": $label}'


def _are_pointers(fields: Mapping[str, str]) -> Mapping[str, str]:
    wrong = [pointer for pointer in fields.values() if not pointer.startswith("/")]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: a JSON pointer begins with a slash, such as /prediction")
    return fields


def _environment_is_set(headers: Mapping[str, str]) -> Mapping[str, str]:
    needed = [name for text in headers.values() for name in re.findall(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}", text)]
    absent = sorted({name for name in needed if name not in os.environ})
    if absent:
        raise ValueError(f"the environment variable {', '.join(absent)}, which a header needs, to be set")
    return headers


class Tls(Frozen):
    """How to speak https. `ca` replaces the system's authorities, `certificate` and `key` (PEM) are the client's own.

    Files are relative to the stack folder. `verify: false` trusts every server; it is for a test system whose
    certificate is of its own making.
    """

    verify: bool = True
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a client wraps its sockets with; StackError if a file is not one."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise StackError(f"The files of `tls` ({self.ca}, {self.certificate}) cannot be used: {error}.") from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def below(self, folder: Path) -> Tls:
        """Return the same with every file named from `folder`."""
        files = self.model_dump(include={"ca", "certificate", "key"}, exclude_none=True)
        return self.model_copy(update={name: folder / file for name, file in files.items()})


class Shape(Frozen):
    """What a request and its answer look like.

    In `body`, `$row` stands for a JSON array of the row's values and `"$name"` for the value of one feature. `response`
    names the fields of a good answer by JSON pointers. `headers` may hold `${env:NAME}`: filled by whoever sends, never
    written down. `integers`: shifted values are rounded. `label` is the column of a table that holds the true class.
    """

    path: str
    body: str
    features: tuple[str, ...] = Field(min_length=1)
    integers: bool = False
    label: str | None = None
    response: Annotated[Mapping[str, str], AfterValidator(_are_pointers)] = {}
    v2: V2 | None = None
    feedback: FeedbackShape | None = None
    headers: Annotated[Mapping[str, str], AfterValidator(_environment_is_set)] = {}


@runtime_checkable
class ShapeBound(Protocol):
    """Arguments of a payload that only some stacks can be sent."""

    def unfit(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """Yield (argument, what would be needed) for what this stack cannot be sent."""


class Payload(Shape):
    """What is sent, to which role, and from which rows: `sample` (.npz) or `source` (.csv, .jsonl, .parquet).

    `reference` is a table of rows that shifts are measured against; by default the rows of `source` themselves.
    `answers` says, kind by kind, what this service answers, counts or logs otherwise than declared.
    """

    role: str
    sample: str | None = None
    source: str | None = None
    reference: str | None = None
    answers: Mapping[str, Otherwise] = {}
    tls: Tls | None = None
    """None: plain http."""

    @property
    def rows(self) -> str:
        """The file of the rows."""
        return self.sample or self.source or ""

    @property
    def shape(self) -> dict[str, Any]:
        """The fields of Shape, ready for JSON; headers as written, without what the environment holds."""
        return self.model_dump(mode="json", include=set(Shape.model_fields))

    @model_validator(mode="after")
    def _one_source(self) -> Payload:
        if (self.sample is None) == (self.source is None):
            raise ValueError("either `sample` (an .npz) or `source` (a table) of rows, and not both")
        return self
