"""Annotations: were the templates of a rule rendered, and does the text hold what they ask for?"""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNRENDERED = ("{{", "}}", "<no value>", "<error expanding template", "%!")
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_CONTROL = re.compile(r"^(?:if|else|end|range|with|define|template|block|/\*|\$\w+\s*:?=)")
_VALUE = re.compile(r"\$value\b|\.Value\b")
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.\w+\s*$")
_NUMBER = re.compile(r"\d")
_NO_NUMBER = re.compile(r"\b(?:nan|inf|infinity)\b", re.IGNORECASE)


def unrendered(text: str) -> str:
    """Return the trace that a template left in a text, as it stands there; empty if it was rendered."""
    return next((trace for trace in _UNRENDERED if trace in text), "")


def unfilled(templates: Iterable[str], text: str) -> str:
    """Return, in words, what a text lacks that its template asks for, a value or a label; empty if it lacks nothing.

    Prometheus writes nothing at all for a label that a series does not have. `templates` are those of all rules of that
    name: one that fits is enough. That a text is empty is for others to say. Of a template with control structures only
    the presence of any number is asked.
    """
    problems = [_problem(template, text) for template in templates]
    return "" if not problems or "" in problems else problems[0]


def _problem(template: str, text: str) -> str:
    actions = _ACTION.findall(template)
    if not actions or not text.strip():
        return ""
    if any(_CONTROL.match(action) for action in actions):
        return "holds no number" if _VALUE.search(template) and not _number(text) else ""
    found = re.fullmatch(_pattern(template), text, re.DOTALL)
    if found is None:
        return "does not fit its template"
    together = "}}{{" in template  # where one ends and the next begins cannot be told
    for action, filled in zip(actions, found.groups(), strict=True):
        if _VALUE.search(action) and not _number(text if together else filled):
            return f"holds {filled.strip()!r} for the value"
        if _LABEL.match(action) and not filled.strip() and not together:
            return f"holds nothing for `{action}`"
    return ""


def _number(text: str) -> bool:
    return bool(_NUMBER.search(text)) and not _NO_NUMBER.search(text)


def _pattern(template: str) -> str:
    """Return a pattern with a group for each action of a template."""
    parts, at = [], 0
    for action in _ACTION.finditer(template):
        parts += [re.escape(template[at : action.start()]), "(.*?)"]
        at = action.end()
    return "".join([*parts, re.escape(template[at:])])
