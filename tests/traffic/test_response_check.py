"""Fields of a good answer, named by JSON pointers."""

import pytest

from tocsin.harness.traffic.clients.response_check import missing_fields

FIELDS = {"class": "/outputs/0/data/0", "odd": "/a~1b/m~0n"}
GOOD = b'{"outputs": [{"data": [0]}], "a/b": {"m~n": false}}'


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (GOOD, ()),
        (GOOD.replace(b"[0]", b"[]"), ("class",)),
        (GOOD.replace(b"[0]", b"[null]"), ("class",)),
        (GOOD.replace(b"[0]", b'"0"'), ("class",)),
        (GOOD.replace(b"false", b"null"), ("odd",)),
        (b"[]", ("class", "odd")),
        (b"", ("class", "odd")),
        (b"<html>", ("class", "odd")),
        (b"[" * 100_000, ("class", "odd")),
    ],
)
def test_a_field_that_is_absent_or_null_is_missing(body, missing):
    assert missing_fields(body, FIELDS) == missing


def test_without_declared_fields_nothing_is_missing():
    assert missing_fields(b"", {}) == ()
