"""logs/ledger: does every request come out of the log pipeline once, and as it was?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.check_arguments import Args
from tocsin.harness.evidence.logs import Logs
from tocsin.harness.evidence.requests import ANSWERED, DROPPED
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown
from tocsin.harness.judging.client_comparison import declared


class Ledger(Args):
    """How many lines may be lost, duplicated or misparsed, in the whole run."""

    lost: int = Field(default=0, ge=0)
    duplicated: int = Field(default=0, ge=0)
    misparsed: int = Field(default=0, ge=0)


@dataclass(frozen=True, kw_only=True)
class _Balance:
    """Ids, each once and sorted: of lines that must come out, of those that may, and of what went wrong with others."""

    must: np.ndarray
    may: np.ndarray
    lost: np.ndarray
    duplicated: np.ndarray
    changed: np.ndarray
    strangers: np.ndarray
    unparsed: int

    @property
    def misparsed(self) -> int:
        """How many lines were set aside, or came out with another status than the client saw."""
        return self.unparsed + len(self.changed)


def judge(evidence: Evidence, args: Ledger) -> Finding:
    """Balance the ids of the requests with the ids at both ends of the log pipeline."""
    logs = evidence.logs
    if evidence.signals.logs is None:
        return unknown("The stack declares no log pipeline.")
    if not logs.complete:
        return unknown(f"The log pipeline was not read in full: {logs.detail or 'no reason noted'}.")
    balance = _balance(evidence, logs)
    due = len(balance.must)
    if not due:
        return unknown("No answered request had to be logged.")
    ids, lost, duplicated = logs.documents["id"], len(balance.lost), len(balance.duplicated)
    figures = {
        "expected": due, "documents": len(ids), "lost": lost, "duplicated": duplicated,
        "misparsed": balance.misparsed, "strangers": len(balance.strangers),
    }  # fmt: skip
    wrong = list(_wrong(evidence, args, balance))
    if wrong:
        return failed(f"Of {due} lines due: {'; '.join(wrong)}.", **figures)
    story = f"{due} lines due came out exactly once"
    if lost or duplicated or balance.misparsed:
        borne = f"{lost} lost, {duplicated} duplicated, {balance.misparsed} misparsed"
        story = f"{due} lines due came out; borne: {borne}"
    if len(balance.may):
        optional = np.count_nonzero(np.isin(balance.may, ids))
        story += f", and {optional} of {len(balance.may)} that may or may not be logged"
    return passed(f"{story}.", **figures)


def _balance(evidence: Evidence, logs: Logs) -> _Balance:
    """Sort requests by what their outcome and their kind's declaration say about a line. Dropped ones have none."""
    rows, ids = evidence.requests, logs.documents["id"]
    logged = declared(evidence, rows, "logged")
    due = (rows["outcome"] == ANSWERED) & (logged == "yes")
    optional = ~due & (rows["outcome"] != DROPPED) & (logged != "no")
    must, may = np.unique(rows["id"][due]), np.unique(rows["id"][optional])
    of_this_run = np.unique(ids[np.char.startswith(ids, f"{evidence.run['run_id']}-".encode())])
    return _Balance(
        must=must,
        may=may,
        lost=np.setdiff1d(must, ids),
        duplicated=np.union1d(_repeated(ids), _repeated(logs.source["id"])),
        changed=_changed(evidence, logs),
        strangers=np.setdiff1d(of_this_run, np.union1d(must, may)),
        unparsed=len(logs.unparsed),
    )


def _wrong(evidence: Evidence, args: Ledger, balance: _Balance) -> Iterator[str]:
    """Yield of what there is more than is allowed."""
    if len(balance.lost) > args.lost:
        yield f"{_count(len(balance.lost), args.lost, 'lost')}, {_where_lost(evidence, balance.lost)}"
    if len(balance.duplicated) > args.duplicated:
        yield f"{_count(len(balance.duplicated), args.duplicated, 'duplicated')}, {_first(balance.duplicated)}"
    if balance.misparsed > args.misparsed:
        changed = f"{len(balance.changed)} with another status than the client saw"
        count = _count(balance.misparsed, args.misparsed, "misparsed")
        yield f"{count}, {balance.unparsed} set aside unparsed and {changed}"
    if len(balance.strangers):
        count = f"{len(balance.strangers)} that nobody sent or that should not be logged"
        yield f"{count}, {_first(balance.strangers)}"


def _repeated(ids: np.ndarray) -> np.ndarray:
    unique, counts = np.unique(ids, return_counts=True)
    repeated: np.ndarray = unique[(counts > 1) & (unique != b"")]
    return repeated


def _changed(evidence: Evidence, logs: Logs) -> np.ndarray:
    """Return the ids of documents whose status is not the one that the client saw."""
    rows = evidence.requests[evidence.requests["outcome"] == ANSWERED]
    order = np.argsort(rows["id"], kind="stable")
    ids, statuses = rows["id"][order], rows["status"][order]
    at = np.minimum(np.searchsorted(ids, logs.documents["id"]), max(len(ids) - 1, 0))
    known = ids[at] == logs.documents["id"]
    return np.unique(logs.documents["id"][known & (statuses[at] != logs.documents["status"])])


def _count(count: int, allowed: int, fate: str) -> str:
    return f"{count} {fate} (allowed {allowed})" if allowed else f"{count} {fate}"


def _where_lost(evidence: Evidence, lost: np.ndarray) -> str:
    on_the_way = np.count_nonzero(np.isin(lost, evidence.logs.source["id"]))
    sentence = f"{len(lost) - on_the_way} never written and {on_the_way} lost on the way, {_first(lost)}"
    waits = [fact.more for fact in evidence.facts("caught_up") if fact.more.get("signal") == "logs"]
    behind = [more.get("detail") for more in waits if not more.get("done", True)]
    if behind:
        sentence += f", the pipeline had not caught up: {behind[-1]}"
    return sentence


def _first(ids: np.ndarray) -> str:
    return f"first {ids[0].decode()}"


CHECK = Check(
    summary="Every answered request is logged and comes out of the pipeline exactly once, with the client's status.",
    args=Ledger,
    judge=judge,
    streams=("logs", "requests"),
    needs_load=False,
    files=("logs/", "requests/"),
)
