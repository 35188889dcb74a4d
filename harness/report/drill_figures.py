"""One drill in a few figures: what every report starts from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tocsin.harness.core.errors import FAIL, PASS, UNKNOWN
from tocsin.harness.evidence.detection_stages import Detection, detections
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.judging.check import Answer, Verdict

_CODES = {Answer.PASS: PASS, Answer.FAIL: FAIL, Answer.UNKNOWN: UNKNOWN}
_OUTCOMES = {"running": "The run was killed before it could record its end"}
"""Outcomes of run.json that are reported in other words."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A judged drill. `outcome` is run.json's: `completed`, or a sentence that says why it was not.

    `ended` is the exit code that the way it ended would mean alone. `production_s` is the planned length, `wall_s` what
    the drill took, from the first server to the last.
    """

    scenario: str
    run_id: str
    folder: Path
    outcome: str
    ended: int
    speed: float
    production_s: float
    wall_s: float
    verdicts: tuple[Verdict, ...]
    detections: tuple[Detection, ...] = ()

    @property
    def answer(self) -> Answer:
        """Fail beats unknown beats pass; a drill that was not completed, or judged by nothing, is never a pass."""
        given = {verdict.counted for verdict in self.verdicts}
        if Answer.FAIL in given:
            return Answer.FAIL
        if Answer.UNKNOWN in given or not given or self.trouble:
            return Answer.UNKNOWN
        return Answer.PASS

    @property
    def code(self) -> int:
        """The exit code of the answer: 0, 1 or 2."""
        return _CODES[self.answer]

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts of each answer, in the order pass, fail, unknown; what is waived stands apart, if any."""
        counted = Counter(verdict.answer for verdict in self.verdicts if not verdict.waived)
        counts = {answer.value: counted[answer] for answer in Answer}
        waived = sum(verdict.waived for verdict in self.verdicts)
        if waived:
            counts["waived"] = waived
        return counts

    @property
    def trouble(self) -> str:
        """Why the drill was not completed, as a sentence; empty when it was."""
        if self.outcome == "completed" and self.ended == PASS:
            return ""
        sentence = self.outcome[:1].upper() + self.outcome[1:]
        if not sentence.endswith((".", "!", "?")):
            sentence += "."
        return sentence


def summarise(evidence: Evidence, verdicts: tuple[Verdict, ...]) -> Summary:
    """Return the summary of a judged run directory."""
    run = evidence.run
    phases = run.get("phases") or [{"end_s": 0.0}]
    outcome = run.get("outcome") or "running"
    return Summary(
        scenario=str(run["scenario"]["name"]),
        run_id=str(run["run_id"]),
        folder=evidence.folder,
        outcome=_OUTCOMES.get(outcome, outcome),
        ended=int(run.get("exit_code", UNKNOWN)),
        speed=evidence.speed,
        production_s=float(phases[-1]["end_s"]),
        wall_s=_wall_s(evidence),
        verdicts=verdicts,
        detections=detections(evidence) if evidence.play else (),
    )


def _wall_s(evidence: Evidence) -> float:
    """Return the wall seconds from start to finish; a run that was killed ends with its journal."""
    started, finished = evidence.run.get("started_at"), evidence.run.get("finished_at")
    if started and finished:
        return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    times = [fact.at for fact in evidence.journal]
    return max(times, default=0.0) - min(times, default=0.0)
