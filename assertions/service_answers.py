"""service/answers: does the service answer every request as declared?"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from tocsin.harness.core.statistics import clopper_pearson
from tocsin.harness.declarations.check_arguments import Args, Ref
from tocsin.harness.evidence.check_bounds import fault_interval, scope_interval
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, KINDS, OUTCOMES, UNKNOWN
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown
from tocsin.harness.judging.client_comparison import ended

TIMEOUT_S = 10.0
"""How long a request without a known end may have been under way, wall seconds."""


class Answers(Args):
    """Which payload kinds to look at; by default all that were sent."""

    kinds: tuple[Annotated[str, Ref(kind="kind")], ...] | None = None


def judge(evidence: Evidence, args: Answers) -> Finding:
    """Compare each status with those its kind declares; while a fault was active, 5xx and no answer are excused."""
    rows = _sent(evidence, args)
    if not len(rows):
        return unknown("No request was sent there.")
    undeclared = sorted({KINDS[kind] for kind in np.unique(rows["kind"])} - set(evidence.run["kinds"]))
    if undeclared:
        return unknown(f"The run does not declare what {', '.join(undeclared)} should be answered.")
    wrong = ~_declared(evidence, rows)
    answered = rows["outcome"] == ANSWERED
    broken = wrong & (~answered | (rows["status"] >= 500))
    excused = broken & _in_fault(evidence, rows)
    unexpected, judged = rows[wrong & ~excused], int(np.count_nonzero(~excused))
    if not judged:
        return unknown(f"All {len(rows)} requests failed while a fault was active.")
    low, high = clopper_pearson(len(unexpected), judged)
    spared = len(rows) - judged
    figures = {"requests": judged, "unexpected": len(unexpected), "excused": spared, "share": [low, high]}
    also = f" {spared} more failed while a fault was active." if spared else ""
    if len(unexpected):
        story = f"{len(unexpected)} of {judged} answers are not as declared: {_by_status(unexpected)}."
        return failed(story + also, **figures)
    misshapen = _misshapen(evidence, args)
    if misshapen:
        return failed(f"{misshapen}.{also}", **figures)
    return passed(f"{judged} requests answered as declared (at most {high:.2%} are not, at 95 %).{also}", **figures)


def _sent(evidence: Evidence, args: Answers) -> np.ndarray:
    place, rows = scope_interval(evidence, args), evidence.requests
    inside = (rows["sent"] >= place.start) & (rows["sent"] <= place.end) & (rows["outcome"] != DROPPED)
    if args.kinds is not None:
        inside &= np.isin(rows["kind"], [KINDS.index(kind) for kind in args.kinds if kind in KINDS])
    chosen: np.ndarray = rows[inside]
    return chosen


def _declared(evidence: Evidence, rows: np.ndarray) -> np.ndarray:
    """Tell per request whether it was answered as its kind declares; a status of 0 declares that no answer comes."""
    good = np.zeros(len(rows), dtype=bool)
    answered, silent = rows["outcome"] == ANSWERED, rows["outcome"] == UNKNOWN
    for kind in np.unique(rows["kind"]):
        statuses = evidence.run["kinds"][KINDS[kind]]["status"]
        as_declared = answered
        if statuses:  # none listed: any
            as_declared = answered & np.isin(rows["status"], statuses)
        good |= (rows["kind"] == kind) & (as_declared | (silent & (0 in statuses)))
    return good


def _misshapen(evidence: Evidence, args: Answers) -> str:
    """Say how many good answers of the whole run lacked a field that the stack declares; nothing if none did."""
    if args.phase or args.during or args.kinds is not None:
        return ""
    reports = [fact.more for fact in evidence.facts("answers_checked")]
    lacking = [report for report in reports if report["lacking"]]
    if not lacking:
        return ""
    checked = sum(int(report["checked"]) for report in reports)
    count = sum(int(report["lacking"]) for report in lacking)
    return f"{count} of {checked} good answers lack a field that the stack declares: {lacking[0]['first']}"


def _in_fault(evidence: Evidence, rows: np.ndarray) -> np.ndarray:
    """Tell per request whether it was under way while a fault was active."""
    done = ended(rows, rows["sent"] + TIMEOUT_S)
    inside = np.zeros(len(rows), dtype=bool)
    for fault in evidence.faults.values():
        active = fault_interval(evidence, fault)
        if active is not None:
            inside |= (rows["sent"] <= active.end) & (done >= active.start)
    return inside


def _by_status(rows: np.ndarray) -> str:
    """Return the unexpected answers by kind and status, most frequent first, each with its first id."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        status = str(row["status"])
        if row["outcome"] != ANSWERED:
            status = f"{OUTCOMES[row['outcome']]} outcome"
        groups.setdefault((KINDS[row["kind"]], status), []).append(row["id"].decode())
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return "; ".join(f"{kind}: {len(ids)} x {status} (first {ids[0]})" for (kind, status), ids in ordered)


CHECK = Check(
    summary="Every request is answered with a status that its payload kind declares.",
    args=Answers,
    judge=judge,
    streams=("requests",),
    files=("requests/",),
)
