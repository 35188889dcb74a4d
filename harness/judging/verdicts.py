"""Verdicts: from a line of `expect` and what its check found to the answer, with what a waiver makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TypeVar

from pydantic import ValidationError

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.declarations.scenario import Expectation
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.judging.check import Answer, Finding, Verdict, unknown
from tocsin.harness.judging.wording import one_line

C = TypeVar("C")


def find(line: Expectation, checks: Mapping[str, C], ask: Callable[[C], Finding]) -> Finding:
    """Return what the check of a line finds. The one place that catches everything: a check that crashes is unknown."""
    check = checks.get(line.check)
    if check is None:
        return unknown(f"There is no check {line.check} in this version.")
    try:
        return ask(check)
    except EvidenceError as error:
        sentence = str(error).rstrip(".")
        return unknown(f"{sentence[:1].upper()}{sentence[1:]}.")
    except ValidationError as error:
        return unknown(f"The arguments do not fit this version of the check: {one_line(str(error))}")
    except Exception as error:
        return unknown(f"The check crashed: {type(error).__name__}: {one_line(str(error))}")


def title(line: Expectation) -> str:
    """Return a line of `expect` as the scenario writes it: `alerts/fire {alert: HighErrorRate, within: 4m}`."""
    return f"{line.check} {_flow(line.args)}".removesuffix(" {}")


def verdict(line: Expectation, finding: Finding, day: date | None, files: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict on a line of `expect`; `day` is the one on which its waiver is judged, None waives nothing."""
    waived, waiver = _waiver(line, finding, day)
    return Verdict(
        check=line.check,
        title=title(line),
        answer=finding.answer,
        reason=finding.reason,
        files=files,
        figures=finding.figures,
        line=line.line,
        waived=waived,
        waiver=waiver,
    )


def began_on(evidence: Evidence) -> date | None:
    """Return the day (UTC) on which a run began: its waivers are judged by that day, whenever it is judged."""
    started = evidence.run.get("started_at")
    if started:
        return datetime.fromisoformat(str(started)).astimezone(UTC).date()
    return datetime.fromtimestamp(evidence.journal[0].at, UTC).date() if evidence.journal else None


def _waiver(line: Expectation, finding: Finding, day: date | None) -> tuple[bool, str]:
    """Return whether a failure is waived, and what there is to say. Unknown is not waived: nobody saw what is known."""
    if line.waive is None:
        return False, ""
    until, reason = line.waive.until, line.waive.reason.strip().rstrip(".")
    if finding.answer is Answer.PASS:
        return False, f"It passes, so the waiver until {until} can go: {reason}."
    if finding.answer is Answer.UNKNOWN:
        return False, f"The waiver until {until} is for a failure, not for what nobody saw: {reason}."
    if day is None or day > until:
        return False, f"The waiver ended on {until}: {reason}."
    return True, f"Waived until {until}: {reason}."


def _flow(value: object) -> str:
    """Return a value as YAML flow on one line, without quotes where none are needed to read it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(part) for part in value) + "]"
    return value if isinstance(value, str) else json.dumps(value, default=str)
