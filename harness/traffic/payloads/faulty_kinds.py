"""Requests that a good service refuses, or bears, each in its own way: one entry of FAULTY per kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tocsin.harness.traffic.payloads.payload_kind import NOTHING, Declaration, Form, PayloadKind, Row, good_body
from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol, infer_path

_LIMIT_BYTES = 64 * 1024
_DEPTH = 20_000
_STRANGER = "tocsin-unknown"
_encode = json.JSONEncoder().encode


def broken_json(row: Row, asking: RequestProtocol) -> bytes:
    """Return the first half of a good body: no start of a JSON object or array is itself JSON."""
    good = good_body(row, asking)
    return good[: len(good) // 2]


def wrong_type(row: Row, asking: RequestProtocol) -> bytes:
    """Return a body whose first value is an object."""
    return asking.template.fill([{"value": "text"}, *list(row)[1:]])


def wrong_dtype(row: Row, asking: RequestProtocol) -> bytes:
    """Return a body whose values are all written as text: `"1"` for 1."""
    return asking.template.fill([str(value) if isinstance(value, (int, float)) else 0 for value in row])


def wrong_shape(row: Row, asking: RequestProtocol) -> bytes:
    """Return a body that lacks the last value; a template that names its fields gets a list in place of a value."""
    if asking.template.names_fields:
        return asking.template.fill([list(row), *list(row)[1:]])
    return asking.template.fill(list(row)[:-1])


def _literal(value: float) -> Callable[[Row, RequestProtocol], bytes]:
    def make(row: Row, asking: RequestProtocol) -> bytes:
        """Return a body whose first value is a literal that strict JSON forbids."""
        return asking.template.fill([value, *list(row)[1:]])

    return make


def missing_field(row: Row, asking: RequestProtocol) -> bytes:
    """Return a body without its first field."""
    return _encode(dict(list(_fields(row, asking).items())[1:])).encode()


def extra_field(row: Row, asking: RequestProtocol) -> bytes:
    """Return a good body with one field more."""
    return _encode({**_fields(row, asking), "tocsin_extra": "nobody asked for this"}).encode()


def deep_nesting(row: Row, asking: RequestProtocol) -> bytes:
    """Return a good body with one field more: 20 000 arrays, one in the other. It is JSON, and 40 KB long."""
    fields = _encode({**_fields(row, asking), "tocsin_extra": 0})
    return fields.replace('"tocsin_extra": 0', f'"tocsin_extra": {"[" * _DEPTH}{"]" * _DEPTH}').encode()


def bad_encoding(row: Row, asking: RequestProtocol) -> bytes:
    """Return a good body with one field more, whose text is no UTF-8."""
    return extra_field(row, asking).replace(b"nobody asked for this", b"caf\xe9 \xff\xfe")


def oversize(row: Row, asking: RequestProtocol) -> bytes:
    """Return a good body followed by blanks, 65 KiB in all: nothing but its size is wrong."""
    return good_body(row, asking).ljust(_LIMIT_BYTES + 1024)


def empty_body(row: Row, asking: RequestProtocol) -> bytes:
    """Return nothing."""
    return b""


def _fields(row: Row, asking: RequestProtocol) -> dict[str, Any]:
    document = asking.template.document(row)
    return document if isinstance(document, dict) else {"instances": document}


def _formed(**changes: Any) -> Callable[[RequestProtocol], Form]:
    return lambda asking: replace(asking.form, **changes)


def _wrong_path(asking: RequestProtocol) -> Form:
    return replace(asking.form, path=f"{asking.form.path.rstrip('/')}/{_STRANGER}")


def _unknown_model(asking: RequestProtocol) -> Form:
    return replace(asking.form, path=infer_path(_STRANGER))


def _unknown_version(asking: RequestProtocol) -> Form:
    return replace(asking.form, path=infer_path(asking.v2.model if asking.v2 else _STRANGER, _STRANGER))


def _refused(
    name: str, summary: str, make: Callable[[Row, RequestProtocol], bytes], *status: int, **more: Any
) -> PayloadKind:  # counted and logged: a refusal that leaves no trace cannot be explained to the one who was refused
    declaration = Declaration(status=status, counted="refused", logged="yes")
    return PayloadKind(name=name, summary=summary, declaration=declaration, make=make, **more)


def _borne(
    name: str, summary: str, make: Callable[[Row, RequestProtocol], bytes], *status: int, **more: Any
) -> PayloadKind:
    declaration = Declaration(status=status, counted="by_status", logged="yes")
    return PayloadKind(name=name, summary=summary, declaration=declaration, make=make, **more)


FAULTY = (
    _refused("broken_json", "the first half of a good body", broken_json, 400),
    _refused("wrong_shape", "one value too few", wrong_shape, 422),
    _refused("nan", "the literal NaN for the first value", _literal(float("nan")), 422),
    _refused("oversize", "a good body padded to 65 KiB", oversize, 413),
    _refused("infinity", "the literal Infinity for the first value", _literal(float("inf")), 422),
    _refused("wrong_type", "an object in place of the first value", wrong_type, 422),
    _refused("wrong_dtype", "numbers written as text", wrong_dtype, 422),
    _refused("missing_field", "a body without its first field", missing_field, 422),
    _borne("extra_field", "a good body with one field more", extra_field, 200, 422),
    _refused("empty_body", "no body at all", empty_body, 400),
    _refused("deep_nesting", "20 000 arrays, one in the other", deep_nesting, 400, 422),
    PayloadKind(
        name="truncated",
        summary="half of the body, then the sending side is closed",
        declaration=Declaration(status=(NOTHING, 400, 408, 499), counted="refused", logged="maybe"),
        make=good_body,
        form=_formed(manner="truncated"),
    ),
    _refused(
        "wrong_content_type", "a good body called text/plain", good_body, 415, form=_formed(content_type="text/plain")
    ),
    _refused("bad_encoding", "text that is no UTF-8", bad_encoding, 400),
    _borne(
        "slow_body", "a good body that takes a second to arrive", good_body, 200, 408, form=_formed(manner="slow_body")
    ),
    PayloadKind(
        name="abort",
        summary="half of the body, then the connection is reset",
        declaration=Declaration(status=(NOTHING,), counted="refused", logged="maybe"),
        make=good_body,
        form=_formed(manner="abort"),
    ),
    _refused("wrong_method", "PUT in place of POST", good_body, 405, form=_formed(method="PUT")),
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
