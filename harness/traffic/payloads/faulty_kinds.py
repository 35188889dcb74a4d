"""Requests that a good service refuses or tolerates: one entry of FAULTY per kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from tocsin.harness.traffic.payloads.body_template import Row
from tocsin.harness.traffic.payloads.payload_kind import NOTHING, Declaration, Make, PayloadKind, good_body
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
    if isinstance(document, dict):
        return document
    return {"instances": document}


def _sent(manner: Manner) -> Callable[[RequestProtocol], Form]:
    return lambda protocol: replace(protocol.form, manner=manner)


def _as_plain_text(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, content_type="text/plain")


def _put(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, method="PUT")


def _wrong_path(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, path=f"{protocol.form.path.rstrip('/')}/{_STRANGER}")


def _unknown_model(protocol: RequestProtocol) -> Form:
    return replace(protocol.form, path=infer_path(_STRANGER))


def _unknown_version(protocol: RequestProtocol) -> Form:
    model = _STRANGER
    if protocol.v2:
        model = protocol.v2.model
    return replace(protocol.form, path=infer_path(model, _STRANGER))


def _good_form(protocol: RequestProtocol) -> Form:
    return protocol.form


def _refused(
    name: str,
    summary: str,
    make: Make,
    *status: int,
    form: Callable[[RequestProtocol], Form] = _good_form,
    needs_v2: bool = False,
) -> PayloadKind:  # counted and logged: a refusal that leaves no trace cannot be explained to the one who was refused
    declaration = Declaration(status=status, counted="refused", logged="yes")
    return PayloadKind(name=name, summary=summary, declaration=declaration, make=make, form=form, needs_v2=needs_v2)


FAULTY = (
    _refused("broken_json", "the first half of a good body", broken_json, 400),
    _refused("wrong_shape", "one value too few", wrong_shape, 422),
    _refused("nan", "the literal NaN for the first value", _literal(float("nan")), 422),
    _refused("oversize", "a good body padded to 65 KiB", oversize, 413),
    _refused("infinity", "the literal Infinity for the first value", _literal(float("inf")), 422),
    _refused("wrong_type", "an object in place of the first value", wrong_type, 422),
    _refused("wrong_dtype", "numbers written as text", wrong_dtype, 422),
    _refused("missing_field", "a body without its first field", missing_field, 422),
    PayloadKind(
        name="extra_field",
        summary="a good body with one field more",
        declaration=Declaration(status=(200, 422), counted="by_status", logged="yes"),
        make=extra_field,
    ),
    _refused("empty_body", "no body at all", empty_body, 400),
    _refused("deep_nesting", "20 000 arrays, one in the other", deep_nesting, 400, 422),
    PayloadKind(
        name="truncated",
        summary="half of the body, then the sending side is closed",
        declaration=Declaration(status=(NOTHING, 400, 408, 499), counted="refused", logged="maybe"),
        make=good_body,
        form=_sent("truncated"),
    ),
    _refused("wrong_content_type", "a good body called text/plain", good_body, 415, form=_as_plain_text),
    _refused("bad_encoding", "text that is no UTF-8", bad_encoding, 400),
    PayloadKind(
        name="slow_body",
        summary="a good body that takes a second to arrive",
        declaration=Declaration(status=(200, 408), counted="by_status", logged="yes"),
        make=good_body,
        form=_sent("slow_body"),
    ),
    PayloadKind(
        name="abort",
        summary="half of the body, then the connection is reset",
        declaration=Declaration(status=(NOTHING,), counted="refused", logged="maybe"),
        make=good_body,
        form=_sent("abort"),
    ),
    _refused("wrong_method", "PUT in place of POST", good_body, 405, form=_put),
    PayloadKind(
        name="wrong_path",
        summary="a path below the right one",
        declaration=Declaration(status=(404,), counted="no", logged="no"),
        make=good_body,
        form=_wrong_path,
    ),
    _refused("unknown_model", "a model that nobody serves", good_body, 404, form=_unknown_model, needs_v2=True),
    _refused("unknown_version", "a version that nobody serves", good_body, 404, form=_unknown_version, needs_v2=True),
)
"""Every faulty kind. Those with `needs_v2` can be sent to a stack that declares `payload.v2` only."""
