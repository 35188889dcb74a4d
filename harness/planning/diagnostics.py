"""From a validation error or an unknown name to a sentence with a line: the loader names every mistake at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.error import StringMark
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from tocsin.harness.core.errors import Mistake, UnknownName

Model = TypeVar("Model", bound=BaseModel)
Option = TypeVar("Option")
Where = tuple[str | int, ...]
_EXPECTED = {
    "missing": "this key",
    "string_type": "text",
    "too_short": "at least one item",
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("mapping_type", "dict_type", "model_type"), "a mapping"),
}
_OPENINGS = {
    "Input should be a valid ": "a valid ",
    "Input should be ": "",
    "String should match pattern ": "text that matches ",
}
_DURATION = "a duration such as 90s, 15m or 1h30m"
_FEW = 8
"""So many names at most are listed in a message."""
_LISTED = {"kind": "payloads", "pacer": "arrivals"}
"""What `tocsin ls` lists the names of a kind under, where it is not their plural."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A YAML file twice: its plain content, and the nodes it was made from, which know their lines."""

    file: str
    content: Mapping[str, object]
    lines: Node | None

    def line(self, path: Where) -> int:
        """Return the line (from 1) of the deepest part of `path` that stands in the file."""
        node: Node | None = self.lines
        line = 1
        for part in path:
            child = _child(node, part)
            if child is None:
                break
            mark, node = child
            line = mark.line + 1
        return line

    def mistake(self, path: Where, where: str, value: str, expected: str, hint: str = "") -> Mistake:
        """Return a mistake at `path`."""
        return Mistake(file=self.file, line=self.line(path), where=where, value=value, expected=expected, hint=hint)

    def known(
        self,
        path: Where,
        kind: str,
        name: object,
        options: Mapping[str, Option],
        mistakes: list[Mistake],
        where: str = "",
    ) -> Option | None:
        """Return the option of that name, or None and a mistake that suggests the nearest."""
        if isinstance(name, str) and name in options:
            return options[name]
        line = self.line((*path, str(name)))
        mistakes.append(unknown_name(self.file, kind, str(name), options, where=where, line=line))
        return None


def _child(node: Node | None, part: str | int) -> tuple[StringMark, Node] | None:
    """Return where a key or an item of a node stands, and its value; None if it is not there."""
    if isinstance(node, MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and -len(node.value) <= part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def nearest(name: str, options: Iterable[str]) -> str:
    """Return the option that is written most like `name`, empty if none comes near."""
    return "".join(difflib.get_close_matches(name, list(options), n=1, cutoff=0.6))


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return `Did you mean X?` for the nearest option, or nothing."""
    option = nearest(name, options)
    return f"Did you mean `{option}`?" if option else ""


def unknown_name(
    file: str,
    kind: str,
    name: str,
    options: Iterable[str],
    *,
    where: str = "",
    line: int = 0,
    all_stand: str | None = None,
) -> UnknownName:
    """Return the mistake of a name that is none of `options`; it suggests the nearest and says where all stand.

    `kind` is what it should name (fault, check, stack, ...); `where` the key that holds it, by default the kind.
    `all_stand` is a clause that says where all names stand, by default which command lists them.
    """
    known = sorted(set(options))
    option = nearest(name, known)
    if all_stand is None:
        hint = f"`tocsin ls {_LISTED.get(kind, f'{kind}s')}` lists all."
    elif len(known) <= _FEW or not (all_stand or option):
        hint = f"known here: {', '.join(known) or 'none'}."
    else:
        hint = f"{all_stand}.".lstrip(".")
    if option:
        hint = f"did you mean `{option}`? {hint[:1].upper()}{hint[1:]}".rstrip()
    return UnknownName(
        file=file, line=line, where=where or kind, kind=kind, value=name, expected=f"a known {kind}", hint=hint
    )


def pieces(page: Page, base: Where, model: type[Model], content: object, mistakes: list[Mistake]) -> Model | None:
    """Validate `content` (found at `base`) by `model`; on failure add every mistake and return None."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
    deeper = {problem["loc"][:depth] for problem in problems for depth in range(len(problem["loc"]))}
    for problem in problems:
        wrong_items = problem["type"] == "too_short" and problem["loc"] in deeper
        if not wrong_items:  # items that are wrong do not count as few
            mistakes.append(_mistake(page, base, model, problem))
    return None


def _mistake(page: Page, base: Where, model: type[BaseModel], problem: ErrorDetails) -> Mistake:
    place = (*base, *problem["loc"])
    kind, name = problem["type"], str(place[-1]) if place else "file"
    where = ".".join(str(part) for part in place) or "file"
    if kind == "missing":
        return page.mistake(place, where, "nothing", f"`{name}`", "Add it.")
    if kind == "extra_forbidden":
        keys = _keys(model, problem["loc"][:-1])
        return unknown_name(page.file, "key", name, keys, where=where, line=page.line(place), all_stand="")
    message = problem["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    if "not a duration" in message:
        return page.mistake(place, where, repr(problem["input"]), _DURATION)
    for opening, instead in _OPENINGS.items():
        if message.startswith(opening):
            message = instead + message.removeprefix(opening)
    expected = _EXPECTED.get(kind, message[0].lower() + message[1:])
    return page.mistake(place, where, repr(problem["input"]), expected)


def _keys(model: type[BaseModel], location: Where) -> list[str]:
    """Return the keys that the model at `location` inside `model` allows."""
    for part in location:
        fields = {(info.alias or name): info for name, info in model.model_fields.items()}
        if part in fields:
            model = next(_models(fields[str(part)].annotation), model)
    return [info.alias or name for name, info in model.model_fields.items()]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
