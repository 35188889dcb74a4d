"""Whether an answer has the shape that stack.yaml declares: a 200 that holds no prediction is no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def missing_fields(body: bytes, response: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in `response` (name -> JSON pointer, RFC 6901) whose field is absent or null, in order."""
    if not response:
        return ()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return tuple(response)
    return tuple(name for name, pointer in response.items() if _at(document, pointer) is None)


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document
