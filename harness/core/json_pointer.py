"""JSON pointers (RFC 6901): the path to a value inside a JSON document, such as `/outputs/0/data`."""

from __future__ import annotations

import re

_INDEX = re.compile(r"0|[1-9][0-9]*")


def resolve(document: object, pointer: str) -> object:
    """Return the value at `pointer`; the empty pointer is the whole document, `~1` stands for `/` and `~0` for `~`.

    LookupError if nothing is there; ValueError for a pointer that does not begin with a slash.
    """
    if not pointer:
        return document
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer; it begins with a slash, such as /prediction")
    value = document
    for token in pointer[1:].split("/"):
        value = _child(value, token.replace("~1", "/").replace("~0", "~"))
    return value


def find(document: object, pointer: str) -> object:
    """Return the value at `pointer`, None if nothing is there."""
    try:
        return resolve(document, pointer)
    except LookupError:
        return None


def _child(value: object, key: str) -> object:
    if isinstance(value, dict):
        return value[key]
    if isinstance(value, list) and _INDEX.fullmatch(key):
        return value[int(key)]
    raise LookupError(f"no member {key!r} in a {type(value).__name__}")
