"""A request's body with placeholders: `$row` for the array of all values, `"$name"` for the value of one feature."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tocsin.harness.core.errors import StackError

_PLACEHOLDER = re.compile(r'"\$([A-Za-z_][A-Za-z0-9_.-]*)"|\$([A-Za-z_][A-Za-z0-9_]*)')
Row = Sequence[object]
"""The values of one request, feature by feature: numbers, text, None for null, ABSENT for left out."""
_encode = json.JSONEncoder().encode


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In place of a value: the field is left out. Only a template that names its fields can do that."""
_MARK = "\u0000absent"
"""Stands for ABSENT in a JSON text."""


def placeholders(body: str) -> tuple[str, ...]:
    """Return the names behind the `$` signs of a template, as they stand."""
    return tuple(quoted or bare for quoted, bare in _PLACEHOLDER.findall(body))


@dataclass(frozen=True)
class Template:
    """A JSON text with placeholders, and the names of the values that `fill` is given, in order."""

    body: str
    names: tuple[str, ...] = ()

    @cached_property
    def _pieces(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The text between the placeholders, and for each placeholder the place of its value (-1: the whole row)."""
        texts, places, end = [], [], 0
        for placeholder in _PLACEHOLDER.finditer(self.body):
            texts.append(self.body[end : placeholder.start()])
            places.append(self._place(placeholder[1] or placeholder[2]))
            end = placeholder.end()
        return (*texts, self.body[end:]), tuple(places)

    def _place(self, name: str) -> int:
        if name == "row":
            return -1
        if name not in self.names:
            known = ", ".join(("row", *self.names))
            raise StackError(f"The template {self.body!r} has ${name}, which is none of {known}.")
        return self.names.index(name)

    @property
    def names_fields(self) -> bool:
        """Whether a single value can be left out."""
        return -1 not in self._pieces[1]

    def fill(self, row: Row) -> bytes:
        """Return the body; a nan becomes the literal NaN, which strict JSON forbids."""
        if ABSENT in row:
            return _encode(self.document(row)).encode()
        texts, places = self._pieces
        if places == (-1,):
            return f"{texts[0]}{_encode(list(row))}{texts[1]}".encode()
        filled = [texts[0]]
        for place, text in zip(places, texts[1:], strict=True):
            value = row[place] if place >= 0 else list(row)
            filled += (_encode(value), text)
        return "".join(filled).encode()

    def document(self, row: Row) -> object:
        """Return the body as a JSON document, without the fields that are ABSENT."""
        marked = list(row)
        for place, value in enumerate(row):
            if value is ABSENT:
                marked[place] = _MARK
        return _without(json.loads(Template(self.body, self.names).fill(marked)))


def _without(document: object) -> object:
    if isinstance(document, dict):
        return {key: _without(value) for key, value in document.items() if value != _MARK}
    if isinstance(document, list):
        return [_without(value) for value in document if value != _MARK]
    return document
