"""Checks that every argument which names something (a phase, an alert, a role, ...) names something that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tocsin.harness.core.errors import Mistake
from tocsin.harness.core.untyped_data import items
from tocsin.harness.declarations.check_arguments import Ref
from tocsin.harness.planning.diagnostics import Page, Where, unknown_name

_PLACES = {
    "alert": "the stack's rule files hold all",
    "feature": "`payload.features` of stack.yaml holds all",
    "receiver": "the stack's alertmanager.yml holds all",
    "role": "`roles` of stack.yaml holds all",
    "edge": "`edges` of stack.yaml holds all",
    "panel": "the stack's dashboards show all",
    "dashboard": "`dashboards` of stack.yaml names all",
    "kind": "`tocsin ls payloads` lists all",
}
"""Where the names of a stack stand, of which there may be many."""

Names = Mapping[str, Sequence[str]]
"""Every name that an argument may refer to, by the kind of its `Ref`."""


def references(page: Page, base: Where, args: BaseModel, names: Names) -> list[Mistake]:
    """Return a mistake for each argument marked with a `Ref` that names nothing."""
    values = {info.alias or name: getattr(args, name) for name, info in type(args).model_fields.items()}
    return raw_references(page, base, type(args), values, names)


def raw_references(
    page: Page, base: Where, model: type[BaseModel], content: Mapping[str, object], names: Names
) -> list[Mistake]:
    """Return the same for arguments as written, of which others may be wrong: both mistakes come at once."""
    mistakes: list[Mistake] = []
    for name, info in model.model_fields.items():
        path = (*base, info.alias or name)
        value = content.get(info.alias or name)
        mistakes += _unknown(page, path, info, value, names)
        for place, item in enumerate(items(value)):
            if isinstance(item, BaseModel):
                mistakes += references(page, (*path, place), item, names)
    return mistakes


def _unknown(page: Page, path: Where, info: FieldInfo, value: object, names: Names) -> Iterator[Mistake]:
    kinds = {item.kind for item in info.metadata if isinstance(item, Ref)} | _refs_inside(info.annotation)
    line, where = page.line(path), str(path[-1])
    for kind in sorted(kinds):
        known, all_stand = names.get(kind, ()), _PLACES.get(kind, "")
        for name in _strings(value):
            if name not in known:
                yield unknown_name(page.file, kind, name, known, where=where, line=line, all_stand=all_stand)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [item for part in value.values() for item in _strings(part)]
    return [item for item in items(value) if isinstance(item, str)]


def _refs_inside(annotation: object) -> set[str]:
    kinds = {item.kind for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Ref)}
    return kinds.union(*(_refs_inside(part) for part in get_args(annotation)))
