"""JSON pointers: the examples of RFC 6901, and what is not there."""

import pytest

from tocsin.harness.core.json_pointer import resolve

DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "~1": 9, "deep": {"list": [{"x": None}]}, "01": 3}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/", 0),
        ("/a~1b", 1),
        ("/m~0n", 8),
        ("/~01", 9),
        ("/deep/list/0/x", None),
        ("/01", 3),
    ],
)
def test_a_pointer_names_a_value(pointer: str, value: object) -> None:
    assert resolve(DOCUMENT, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/absent", "/foo/2", "/foo/-1", "/foo/01", "/foo/-", "/foo/bar", "/foo/0/x", "/a/b"]
)
def test_a_pointer_to_nothing_is_a_lookup_error(pointer: str) -> None:
    with pytest.raises(LookupError):
        resolve(DOCUMENT, pointer)


def test_a_pointer_begins_with_a_slash() -> None:
    with pytest.raises(ValueError, match="begins with a slash"):
        resolve(DOCUMENT, "foo")
