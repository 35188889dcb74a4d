"""logs/ledger: does every request come out of the log pipeline once, and as it was?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.references import Args
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.logs import Logs
from tocsin.harness.evidence.requests import KINDS, OUTCOMES
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

_ANSWERED, _DROPPED = OUTCOMES.index("answered"), OUTCOMES.index("dropped")


class Ledger(Args):
    """How many lines may be lost, duplicated or misparsed, in the whole run."""

    lost: int = Field(default=0, ge=0)
    duplicated: int = Field(default=0, ge=0)
    misparsed: int = Field(default=0, ge=0)


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Ids, each once and sorted: lines that must come out, and lines that may."""

    must: np.ndarray
    may: np.ndarray


def judge(evidence: Evidence, args: Ledger) -> Finding:
    """Balance the ids of the requests with the ids at both ends of the log pipeline."""
    logs = evidence.logs
    if evidence.signals.logs is None:
        return unknown("The stack declares no log pipeline.")
    if not logs.complete:
        return unknown(f"The log pipeline was not read in full: {logs.detail or 'no reason noted'}.")
    sides = _sides(evidence)
    if not len(sides.must):
        return unknown("No answered request had to be logged.")
    ids = logs.documents["id"]
    lost = np.setdiff1d(sides.must, ids)
    duplicated = np.union1d(_repeated(ids), _repeated(logs.source["id"]))
    changed = _changed(evidence, logs)
    strangers = _strangers(evidence, sides, ids)
    misparsed = len(logs.unparsed) + len(changed)
    figures = {
        "expected": len(sides.must), "documents": len(ids), "lost": len(lost), "duplicated": len(duplicated),
        "misparsed": misparsed, "strangers": len(strangers),
    }  # fmt: skip
    wrong = [
        *_over(len(lost), args.lost, "lost", _where_lost(evidence, lost)),
        *_over(len(duplicated), args.duplicated, "duplicated", _first(duplicated)),
        *_over(misparsed, args.misparsed, "misparsed", _how_misparsed(logs, changed)),
        *_over(len(strangers), 0, "that nobody sent or that should not be logged", _first(strangers)),
    ]
    if wrong:
        return failed(f"Of {len(sides.must)} lines due: {'; '.join(wrong)}.", **figures)
    optional = np.count_nonzero(np.isin(sides.may, ids))
    maybe = f", and {optional} of {len(sides.may)} that may or may not be logged" if len(sides.may) else ""
    borne = f"; borne: {len(lost)} lost, {len(duplicated)} duplicated, {misparsed} misparsed"
    allowed = borne if len(lost) or len(duplicated) or misparsed else " exactly once"
    return passed(f"{len(sides.must)} lines due came out{allowed}{maybe}.", **figures)


def _sides(evidence: Evidence) -> _Sides:
    """Sort requests by what their outcome and their kind's declaration say about a line. Dropped ones have none."""
    rows = evidence.requests
    logged = np.array([evidence.run["kinds"].get(kind, {}).get("logged", "maybe") for kind in KINDS])[rows["kind"]]
    answered = rows["outcome"] == _ANSWERED
    must = answered & (logged == "yes")
    may = ~must & (rows["outcome"] != _DROPPED) & (logged != "no")
    return _Sides(must=np.unique(rows["id"][must]), may=np.unique(rows["id"][may]))


def _repeated(ids: np.ndarray) -> np.ndarray:
    found, counts = np.unique(ids, return_counts=True)
    repeated: np.ndarray = found[(counts > 1) & (found != b"")]
    return repeated


def _changed(evidence: Evidence, logs: Logs) -> np.ndarray:
    """Return the ids of documents whose status is not the one that the client saw."""
    rows = evidence.requests[evidence.requests["outcome"] == _ANSWERED]
    order = np.argsort(rows["id"], kind="stable")
    ids, statuses = rows["id"][order], rows["status"][order]
    at = np.minimum(np.searchsorted(ids, logs.documents["id"]), max(len(ids) - 1, 0))
    known = ids[at] == logs.documents["id"]
    return np.unique(logs.documents["id"][known & (statuses[at] != logs.documents["status"])])


def _strangers(evidence: Evidence, sides: _Sides, ids: np.ndarray) -> np.ndarray:
    """Return the ids of this run that came out although nobody sent them, or though their kind is not logged."""
    mine = np.unique(ids[np.char.startswith(ids, f"{evidence.run['run_id']}-".encode())])
    return np.setdiff1d(mine, np.union1d(sides.must, sides.may))


def _over(count: int, allowed: int, what: str, detail: str) -> list[str]:
    if count <= allowed:
        return []
    return [f"{count} {what}{f' (allowed {allowed})' if allowed else ''}{f', {detail}' if detail else ''}"]


def _where_lost(evidence: Evidence, lost: np.ndarray) -> str:
    on_the_way = np.count_nonzero(np.isin(lost, evidence.logs.source["id"]))
    late = [fact.more.get("detail") for fact in evidence.facts("caught_up") if _late(fact.more)]
    behind = f", the pipeline had not caught up: {late[-1]}" if late else ""
    return f"{len(lost) - on_the_way} never written and {on_the_way} lost on the way, {_first(lost)}{behind}"


def _late(more: Mapping[str, Any]) -> bool:
    return more.get("signal") == "logs" and not more.get("done", True)


def _how_misparsed(logs: Logs, changed: np.ndarray) -> str:
    return f"{len(logs.unparsed)} set aside unparsed and {len(changed)} with another status than the client saw"


def _first(ids: np.ndarray) -> str:
    return f"first {ids[0].decode()}" if len(ids) else ""


CHECK = Check(
    summary="Every answered request is logged and comes out of the pipeline exactly once, with the client's status.",
    args=Ledger,
    judge=judge,
    streams=("logs", "requests"),
    needs_load=False,
    files=("logs/", "requests/"),
)
