"""Checks answers: a 200 that lacks a field that stack.yaml declares is no good answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tocsin.harness.core.json_pointer import find
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads.request_protocol import Form

_GOOD = {KINDS.index(kind) for kind in ("normal", "shifted")}


def missing_fields(body: bytes, response: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in `response` (name -> JSON pointer, RFC 6901) whose field is absent or null, in order."""
    if not response:
        return ()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return tuple(response)
    return tuple(name for name, pointer in response.items() if find(document, pointer) is None)


class ResponseCheck:
    """Counts the answers of 200 to good requests on `path`: `checked`, and `lacking` a field of `response`.

    `example` says what the first of them lacks. Other paths, such as those of the Open Inference Protocol, answer in
    shapes of their own.
    """

    def __init__(self, path: str, response: Mapping[str, str]) -> None:
        self.checked = 0
        self.lacking = 0
        self.example = ""
        self._path = path
        self._response = response

    def counts(self, with_example: bool = False) -> dict[str, object]:
        """Return `checked` and `lacking`; with the example if it is wanted and there is one."""
        counts: dict[str, object] = {"checked": self.checked, "lacking": self.lacking}
        if with_example and self.lacking:
            counts["lacking_example"] = self.example
        return counts

    def wanted(self, form: Form) -> bool:
        """Whether answers to this form can be looked into."""
        return bool(self._response) and form.path == self._path

    def look(self, request_id: bytes, kind: int, body: bytes) -> None:
        """Look into one answer."""
        if kind not in _GOOD:
            return
        self.checked += 1
        lacking = missing_fields(body, self._response)
        if lacking:
            self.lacking += 1
            self.example = self.example or f"{request_id.decode()} has no {', '.join(lacking)}: {body[:80]!r}"
