"""Whether an answer has the fields that stack.yaml declares: a 200 that holds no prediction is no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tocsin.harness.core.json_pointer import find


def missing_fields(body: bytes, response: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in `response` (name -> JSON pointer, RFC 6901) whose field is absent or null, in order."""
    if not response:
        return ()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return tuple(response)
    return tuple(name for name, pointer in response.items() if find(document, pointer) is None)
