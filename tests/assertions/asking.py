"""What the tables of this folder share: build the smallest evidence, ask one check, compare answer and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.evidence.build import build, firing, together
from tocsin.assertions import ALL
from tocsin.harness.judging.check import Finding

CHECKS = {check.id: check for check in ALL}
ROW = {"status": [200], "counted": "answered", "logged": "yes"}
REFUSED = {"status": [422], "counted": "refused", "logged": "yes"}
KINDS = {
    "normal": ROW,
    "canary": ROW,
    "shifted": ROW,
    "broken_json": REFUSED,
    "nan": {"status": [422, 200], "counted": "maybe", "logged": "maybe"},
    "user": {"status": [], "counted": "maybe", "logged": "maybe"},
    "extra_field": {"status": [200, 422], "counted": "by_status", "logged": "yes"},
    "abort": {"status": [0], "counted": "refused", "logged": "maybe"},
    "feedback": {"status": [200, 404], "counted": "no", "logged": "no"},
    "oversize": {"status": [413], "counted": "no", "logged": "no"},
}


def ask(check: str, folder: Path, args: Mapping[str, Any], **evidence: Any) -> Finding:
    """Build evidence of 60 s `baseline` and 60 s `trouble` (unless told otherwise) and ask the check alone."""
    built = build(folder / "run", **{"phases": {"baseline": 60, "trouble": 60}, "run": {"kinds": KINDS}, **evidence})
    one = CHECKS[check]
    return one.judge(built, one.args.model_validate(args))


def says(finding: Finding, answer: str, words: Sequence[str] | str) -> None:
    """Compare; the whole sentence is shown where it differs."""
    words = [words] if isinstance(words, str) else words
    assert (finding.answer, [word for word in words if word not in finding.reason]) == (answer, []), finding.reason


def alive(*parts: Mapping[str, Any], until: float = 121) -> dict[str, Any]:
    """ALERTS with the Watchdog evaluated each second from 0.4 to `until`, and more."""
    return together(firing("Watchdog", start=0.4, end=until), *parts)
