"""Narrows values that were read from YAML or JSON: what is not of the kind asked for counts as empty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def read_yaml(path: Path) -> object:
    """Return the content of a YAML file; ValueError says in one line why it cannot be read."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(error.strerror or "unreadable") from None
    except (UnicodeDecodeError, YAMLError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """Return the items of a list, or of a tuple."""
    return list(value) if isinstance(value, (list, tuple)) else []


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return those items of a list that are mappings."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def texts(value: object) -> dict[str, str]:
    """Return a mapping with its keys and values as text."""
    return {str(key): str(item) for key, item in mapping(value).items()}


def text(value: object) -> str:
    """Return a value as text; None and False are empty."""
    return str(value or "")
