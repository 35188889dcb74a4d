"""Requests that a good service refuses or tolerates: one entry of FAULTY per kind."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

from tocsin.harness.declarations.request_format import Declaration
from tocsin.harness.traffic.payloads.body_template import Row
from tocsin.harness.traffic.payloads.payload_kind import NOTHING, Make, MakeForm, PayloadKind, good_body, good_form
from tocsin.harness.traffic.payloads.request_protocol import Form, Manner, RequestProtocol, infer_path

_LIMIT_BYTES = 64 * 1024
_DEPTH = 20_000
_STRANGER = "tocsin-unknown"
_encode = json.JSONEncoder().encode


def broken_json(row: Row, protocol: RequestProtocol) -> bytes:
    """Return the first half of a good body: no start of a JSON object or array is itself JSON."""
    good = good_body(row, protocol)
    return good[: len(good) // 2]


def wrong_type(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a body whose first value is an object."""
    return protocol.template.fill([{"value": "text"}, *list(row)[1:]])


def wrong_dtype(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a body whose values are all written as text: `"1"` for 1."""
    changed: list[object] = [0] * len(row)
    for place, value in enumerate(row):
        if isinstance(value, (int, float)):
            changed[place] = str(value)
    return protocol.template.fill(changed)


def wrong_shape(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a body that lacks the last value; a template that names its fields gets a list in place of a value."""
    if protocol.template.names_fields:
        return protocol.template.fill([list(row), *list(row)[1:]])
    return protocol.template.fill(list(row)[:-1])


def _literal(value: float) -> Make:
    def make(row: Row, protocol: RequestProtocol) -> bytes:
        """Return a body whose first value is a literal that strict JSON forbids."""
        return protocol.template.fill([value, *list(row)[1:]])

    return make


def missing_field(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a body without its first field."""
    return _encode(dict(list(_fields(row, protocol).items())[1:])).encode()


def extra_field(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a good body with one field more."""
    return _encode({**_fields(row, protocol), "tocsin_extra": "nobody asked for this"}).encode()


def deep_nesting(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a good body with one field more: 20 000 arrays, one in the other. It is JSON, and 40 KB long."""
    fields = _encode({**_fields(row, protocol), "tocsin_extra": 0})
    return fields.replace('"tocsin_extra": 0', f'"tocsin_extra": {"[" * _DEPTH}{"]" * _DEPTH}').encode()


def bad_encoding(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a good body with one field more, whose text is no UTF-8."""
    return extra_field(row, protocol).replace(b"nobody asked for this", b"caf\xe9 \xff\xfe")


def oversize(row: Row, protocol: RequestProtocol) -> bytes:
    """Return a good body followed by blanks, 65 KiB in all: nothing but its size is wrong."""
    return good_body(row, protocol).ljust(_LIMIT_BYTES + 1024)


def empty_body(row: Row, protocol: RequestProtocol) -> bytes:
    """Return nothing."""
    return b""


def _fields(row: Row, protocol: RequestProtocol) -> dict[str, object]:
    document = protocol.template.document(row)
    return document if isinstance(document, dict) else {"instances": document}


def _form(*, manner: Manner = "plain", method: str = "POST", content_type: str = "application/json") -> MakeForm:
    return lambda protocol: replace(protocol.form, manner=manner, method=method, content_type=content_type)


def _wrong_path(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, path=f"{protocol.form.path.rstrip('/')}/{_STRANGER}")


def _unknown_model(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, path=infer_path(_STRANGER))


def _unknown_version(protocol: RequestProtocol) -> Form:
    model = protocol.v2.model if protocol.v2 else _STRANGER
    return replace(protocol.form, path=infer_path(model, _STRANGER))


def _kind(
    name: str,
    summary: str,
    make: Make,
    *status: int,
    counted: Literal["refused", "by_status", "no"] = "refused",
    logged: Literal["yes", "no", "maybe"] = "yes",
    form: MakeForm = good_form,
    needs_v2: bool = False,
) -> PayloadKind:  # by default counted and logged: a refusal without a trace cannot be explained to the caller
    declaration = Declaration(status=status, counted=counted, logged=logged)
    return PayloadKind(name=name, summary=summary, declaration=declaration, make=make, form=form, needs_v2=needs_v2)


FAULTY = (
    _kind("broken_json", "the first half of a good body", broken_json, 400),
    _kind("wrong_shape", "one value too few", wrong_shape, 422),
    _kind("nan", "the literal NaN for the first value", _literal(float("nan")), 422),
    _kind("oversize", "a good body padded to 65 KiB", oversize, 413),
    _kind("infinity", "the literal Infinity for the first value", _literal(float("inf")), 422),
    _kind("wrong_type", "an object in place of the first value", wrong_type, 422),
    _kind("wrong_dtype", "numbers written as text", wrong_dtype, 422),
    _kind("missing_field", "a body without its first field", missing_field, 422),
    _kind("extra_field", "a good body with one field more", extra_field, 200, 422, counted="by_status"),
    _kind("empty_body", "no body at all", empty_body, 400),
    _kind("deep_nesting", "20 000 arrays, one in the other", deep_nesting, 400, 422),
    _kind(
        "truncated",
        "half of the body, then the sending side is closed",
        good_body,
        *(NOTHING, 400, 408, 499),
        logged="maybe",
        form=_form(manner="truncated"),
    ),
    _kind("wrong_content_type", "a good body called text/plain", good_body, 415, form=_form(content_type="text/plain")),
    _kind("bad_encoding", "text that is no UTF-8", bad_encoding, 400),
    _kind(
        "slow_body",
        "a good body that takes a second to arrive",
        good_body,
        *(200, 408),
        counted="by_status",
        form=_form(manner="slow_body"),
    ),
    _kind(
        "abort",
        "half of the body, then the connection is reset",
        good_body,
        NOTHING,
        logged="maybe",
        form=_form(manner="abort"),
    ),
    _kind("wrong_method", "PUT in place of POST", good_body, 405, form=_form(method="PUT")),
    _kind("wrong_path", "a path below the right one", good_body, 404, counted="no", logged="no", form=_wrong_path),
    _kind("unknown_model", "a model that nobody serves", good_body, 404, form=_unknown_model, needs_v2=True),
    _kind("unknown_version", "a version that nobody serves", good_body, 404, form=_unknown_version, needs_v2=True),
)
"""Every faulty kind. Those with `needs_v2` can be sent to a stack that declares `payload.v2` only."""
