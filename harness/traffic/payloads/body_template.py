"""A request's body with placeholders: `$row` for the array of all values, `"$name"` for the value of one feature."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tocsin.harness.core.errors import StackError

_PLACEHOLDER = re.compile(r'"\$([A-Za-z_][A-Za-z0-9_.-]*)"|\$([A-Za-z_][A-Za-z0-9_]*)')
_encode = json.JSONEncoder().encode


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In place of a value: the field is left out. Only a template that names its fields can do that."""


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
        for found in _PLACEHOLDER.finditer(self.body):
            name = found[1] or found[2]
            if name != "row" and name not in self.names:
                known = ", ".join(("row", *self.names))
                raise StackError(f"The template {self.body!r} has ${name}, which is none of {known}.")
            texts.append(self.body[end : found.start()])
            places.append(-1 if name == "row" else self.names.index(name))
            end = found.end()
        return (*texts, self.body[end:]), tuple(places)

    @property
    def names_fields(self) -> bool:
        """Whether a single value can be left out."""
        return -1 not in self._pieces[1]

    def fill(self, row: Sequence[Any]) -> bytes:
        """Return the body; a nan becomes the literal NaN, which strict JSON forbids."""
        if ABSENT in row:
            return _encode(self.document(row)).encode()
        texts, places = self._pieces
        if places == (-1,):
            return f"{texts[0]}{_encode(list(row))}{texts[1]}".encode()
        filled = [texts[0]]
        for place, text in zip(places, texts[1:], strict=True):
            filled += (_encode(list(row) if place < 0 else row[place]), text)
        return "".join(filled).encode()

    def document(self, row: Sequence[Any]) -> Any:
        """Return the body as a JSON document, without the fields that are ABSENT."""
        marked = [_Marked.text if value is ABSENT else value for value in row]
        return _without(json.loads(Template(self.body, self.names).fill(marked)))


class _Marked:
    text = "\u0000absent"


def _without(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _without(value) for key, value in document.items() if value != _Marked.text}
    if isinstance(document, list):
        return [_without(value) for value in document if value != _Marked.text]
    return document
