"""From a validation error to a sentence with a line: what the loader uses to name every mistake at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from tocsin.harness.core.errors import Mistake
from tocsin.harness.declarations.references import Ref

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]
_EXPECTED = {
    "missing": "this key",
    "extra_forbidden": "no such key",
    "string_type": "text",
    "too_short": "at least one item",
    "list_type": "a list",
    "tuple_type": "a list",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_OPENINGS = {
    "Input should be a valid ": "a valid ",
    "Input should be ": "",
    "String should match pattern ": "text that matches ",
}
_DURATION = "a duration such as 90s, 15m or 1h30m"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A YAML file twice: its plain content, and the nodes it was made from, which know their lines."""

    file: str
    content: Mapping[str, Any]
    lines: Node | None

    def line(self, path: Path) -> int:
        """Return the line (from 1) of the deepest part of `path` that stands in the file."""
        node: Node | None = self.lines
        line = 1
        for part in path:
            found = _within(node, part)
            if found is None:
                break
            mark, node = found
            line = mark.line + 1
        return line

    def mistake(self, path: Path, where: str, value: str, expected: str, hint: str = "") -> Mistake:
        """Return a mistake at `path`."""
        return Mistake(file=self.file, line=self.line(path), where=where, value=value, expected=expected, hint=hint)

    def known(self, path: Path, what: str, name: object, options: Mapping[str, Any], mistakes: list[Mistake]) -> Any:
        """Return the option of that name, or None and a mistake that suggests the nearest."""
        if isinstance(name, str) and name in options:
            return options[name]
        listed = ", ".join(sorted(options))
        mistakes.append(
            self.mistake((*path, str(name)), what, str(name), f"one of: {listed}", did_you_mean(str(name), options))
        )
        return None


def _within(node: Node | None, part: str | int) -> tuple[Any, Node] | None:
    """Return where a key or an item of a node stands, and its value; None if it is not there."""
    if isinstance(node, MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and -len(node.value) <= part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return `Did you mean X?` for the nearest option, or nothing."""
    near = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return f"Did you mean `{near[0]}`?" if near else ""


def pieces(page: Page, base: Path, model: type[Model], content: Any, mistakes: list[Mistake]) -> Model | None:
    """Validate `content` (found at `base`) by `model`; on failure add every mistake and return None."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
        deeper = {problem["loc"][:depth] for problem in problems for depth in range(len(problem["loc"]))}
        for problem in problems:
            if (
                problem["type"] != "too_short" or problem["loc"] not in deeper
            ):  # items that are wrong do not count as few
                mistakes.append(_mistake(page, base, model, problem))
    return None


def _mistake(page: Page, base: Path, model: type[BaseModel], problem: Any) -> Mistake:
    location = tuple(part for part in problem["loc"])
    kind, name = problem["type"], str(location[-1]) if location else (str(base[-1]) if base else "file")
    where = ".".join(str(part) for part in (*base, *location)) or "file"
    if kind == "missing":
        return page.mistake((*base, *location), where, "nothing", f"`{name}`", "Add it.")
    if kind == "extra_forbidden":
        keys = _keys(model, location[:-1])
        return page.mistake((*base, *location), where, name, f"one of: {', '.join(keys)}", did_you_mean(name, keys))
    message = str(problem["msg"]).removeprefix("Value error, ")
    if "not a duration" in message:
        return page.mistake((*base, *location), where, repr(problem["input"]), _DURATION)
    for opening, instead in _OPENINGS.items():
        if message.startswith(opening):
            message = instead + message.removeprefix(opening)
    expected = _EXPECTED.get(kind, message[0].lower() + message[1:])
    return page.mistake((*base, *location), where, repr(problem["input"]), expected)


def _keys(model: Any, location: Path) -> list[str]:
    """Return the keys that the model at `location` inside `model` allows."""
    for part in location:
        if isinstance(part, int):
            continue
        names = {(info.alias or name): info for name, info in model.model_fields.items()}
        if part not in names:
            continue
        model = next((kind for kind in _models(names[str(part)].annotation)), model)
    return sorted(info.alias or name for name, info in model.model_fields.items())


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


@dataclass(frozen=True, kw_only=True)
class Names:
    """Every name that an argument may refer to, by the kind of its `Ref`."""

    phase: list[str] = field(default_factory=list)
    fault: list[str] = field(default_factory=list)
    alert: list[str] = field(default_factory=list)
    feature: list[str] = field(default_factory=list)
    receiver: list[str] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    edge: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    panel: list[str] = field(default_factory=list)
    dashboard: list[str] = field(default_factory=list)


def references(page: Page, base: Path, args: BaseModel, names: Names) -> list[Mistake]:
    """Return a mistake for each argument marked with a `Ref` that names nothing."""
    mistakes: list[Mistake] = []
    for name, info in type(args).model_fields.items():
        value = getattr(args, name)
        mistakes += _unknown(page, (*base, info.alias or name), _ref_kinds(info), value, names)
        path = (*base, info.alias or name)
        for place, item in enumerate(value) if isinstance(value, (list, tuple)) else ():
            mistakes += references(page, (*path, place), item, names) if isinstance(item, BaseModel) else []
    return mistakes


def raw_references(
    page: Page, base: Path, model: type[BaseModel], content: Mapping[str, Any], names: Names
) -> list[Mistake]:
    """Return the same for arguments as written, of which others may be wrong: both mistakes come at once."""
    mistakes: list[Mistake] = []
    for name, info in model.model_fields.items():
        key = info.alias or name
        mistakes += _unknown(page, (*base, key), _ref_kinds(info), content.get(key), names)
    return mistakes


def _unknown(page: Page, path: Path, kinds: Iterable[str], value: object, names: Names) -> list[Mistake]:
    mistakes = []
    for kind in kinds:
        known = getattr(names, kind)
        for item in _strings(value):
            if item not in known:
                listed = ", ".join(sorted(set(known))) or "none here"
                where, hint = str(path[-1]), did_you_mean(item, known)
                mistakes.append(page.mistake(path, where, item, f"a known {kind}: {listed}", hint))
    return mistakes


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [item for part in value.values() for item in _strings(part)]
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, str)]
    return []


def _ref_kinds(info: Any) -> set[str]:
    found = {item.kind for item in info.metadata if isinstance(item, Ref)}
    return found | _refs_inside(info.annotation)


def _refs_inside(annotation: Any) -> set[str]:
    kinds = {item.kind for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Ref)}
    return kinds.union(*(_refs_inside(part) for part in get_args(annotation)))
