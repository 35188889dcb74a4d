"""service/answers: does the service answer every request as declared?"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from tocsin.harness.core.statistics import clopper_pearson
from tocsin.harness.declarations.references import Args, Ref
from tocsin.harness.evidence.check_bounds import fault_interval, scope_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.requests import KINDS, OUTCOMES
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

TIMEOUT_S = 10.0
"""How long a request without a known end may have been under way, wall seconds."""

_ANSWERED, _UNKNOWN, _DROPPED = (OUTCOMES.index(name) for name in ("answered", "unknown", "dropped"))


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
    answered = rows["outcome"] == _ANSWERED
    broken = wrong & (~answered | (rows["status"] >= 500))
    excused = broken & _in_fault(evidence, rows)
    unexpected, judged = rows[wrong & ~excused], len(rows) - int(np.count_nonzero(excused))
    spared = f" {np.count_nonzero(excused)} more failed while a fault was active." if excused.any() else ""
    if not judged:
        return unknown(f"All {len(rows)} requests failed while a fault was active.")
    low, high = clopper_pearson(len(unexpected), judged)
    shape = _misshapen(evidence, args)
    figures = {"requests": judged, "unexpected": len(unexpected), "excused": len(rows) - judged, "share": [low, high]}
    if len(unexpected):
        return failed(
            f"{len(unexpected)} of {judged} answers are not as declared: {_told(unexpected)}.{spared}", **figures
        )
    if shape:
        return failed(f"{shape}.{spared}", **figures)
    return passed(f"{judged} requests answered as declared (at most {high:.2%} are not, at 95 %).{spared}", **figures)


def _sent(evidence: Evidence, args: Answers) -> np.ndarray:
    place, rows = scope_interval(evidence, args), evidence.requests
    inside = (rows["sent"] >= place.start) & (rows["sent"] <= place.end) & (rows["outcome"] != _DROPPED)
    if args.kinds is not None:
        inside &= np.isin(rows["kind"], [KINDS.index(kind) for kind in args.kinds if kind in KINDS])
    chosen: np.ndarray = rows[inside]
    return chosen


def _declared(evidence: Evidence, rows: np.ndarray) -> np.ndarray:
    """Tell per request whether it was answered as its kind declares; a status of 0 declares that no answer comes."""
    good = np.zeros(len(rows), dtype=bool)
    answered, silent = rows["outcome"] == _ANSWERED, rows["outcome"] == _UNKNOWN
    for kind in np.unique(rows["kind"]):
        statuses = evidence.run["kinds"][KINDS[kind]]["status"]
        as_declared = answered & np.isin(rows["status"], statuses) if statuses else answered  # none listed: any
        good |= (rows["kind"] == kind) & (as_declared | (silent & (0 in statuses)))
    return good


def _misshapen(evidence: Evidence, args: Answers) -> str:
    """Say how many good answers of the whole run lacked a field that the stack declares; nothing if none did."""
    if args.phase or args.during or args.kinds is not None:
        return ""
    looked = [fact.more for fact in evidence.facts("answers_checked")]
    checked, lacking = (sum(int(one[name]) for one in looked) for name in ("checked", "lacking"))
    first = next((str(one["first"]) for one in looked if one["lacking"]), "")
    return f"{lacking} of {checked} good answers lack a field that the stack declares: {first}" if lacking else ""


def _in_fault(evidence: Evidence, rows: np.ndarray) -> np.ndarray:
    """Tell per request whether it was under way while a fault was active."""
    done = np.where(np.isnan(rows["done"]), rows["sent"] + TIMEOUT_S, rows["done"])
    inside = np.zeros(len(rows), dtype=bool)
    for fault in evidence.faults.values():
        when = fault_interval(evidence, fault)
        if when is not None:
            inside |= (rows["sent"] <= when.end) & (done >= when.start)
    return inside


def _told(rows: np.ndarray) -> str:
    """Return the unexpected answers by kind and status, most frequent first, each with its first id."""
    found: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        status = str(row["status"]) if row["outcome"] == _ANSWERED else f"{OUTCOMES[row['outcome']]} outcome"
        found.setdefault((KINDS[row["kind"]], status), []).append(row["id"].decode())
    groups = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return "; ".join(f"{kind}: {len(ids)} x {status} (first {ids[0]})" for (kind, status), ids in groups)


CHECK = Check(
    summary="Every request is answered with a status that its payload kind declares.",
    args=Answers,
    judge=judge,
    streams=("requests",),
    files=("requests/",),
)
