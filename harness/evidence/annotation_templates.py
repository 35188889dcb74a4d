"""Annotations: were the templates of a rule rendered, and does the text hold their values and labels?"""

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
    """Return, in words, the value or label that a text lacks though its template has it; empty if it lacks nothing.

    Prometheus writes nothing at all for a label that a series does not have. `templates` are those of all rules of that
    name: one that fits is enough. An empty text is not reported here. With control structures in the template, only the
    presence of any number is checked.
    """
    problems = [_problem(template, text) for template in templates]
    return "" if "" in problems else next(iter(problems), "")


def _problem(template: str, text: str) -> str:
    actions = _ACTION.findall(template)
    if not actions or not text.strip():
        return ""
    if any(_CONTROL.match(action) for action in actions):
        lacks_number = _VALUE.search(template) and not _has_number(text)
        return "holds no number" if lacks_number else ""
    filled = re.fullmatch(_pattern(template), text, re.DOTALL)
    if filled is None:
        return "does not fit its template"
    together = "}}{{" in template  # where one value ends and the next begins is not known
    for action, value in zip(actions, filled.groups(), strict=True):
        if _VALUE.search(action) and not _has_number(text if together else value):
            return f"holds {value.strip()!r} for the value"
        if _LABEL.match(action) and not value.strip() and not together:
            return f"holds nothing for `{action}`"
    return ""


def _has_number(text: str) -> bool:
    return bool(_NUMBER.search(text)) and not _NO_NUMBER.search(text)


def _pattern(template: str) -> str:
    """Return a pattern with a group for each action of a template."""
    texts = _ACTION.split(template)[::2]  # every other part is an action
    return "(.*?)".join(map(re.escape, texts))
