"""alerts/order: does the cause fire before its symptom?"""

from __future__ import annotations

from tocsin.harness.declarations.check_arguments import AlertName, Args
from tocsin.harness.evidence.check_bounds import rounded
from tocsin.harness.evidence.firings_in_scope import firings
from tocsin.harness.judging.check import Check, Evidence, Finding, failed, passed, unknown


class Order(Args):
    """The alert that names the cause, and the one that names its symptom."""

    first: AlertName
    then: AlertName


def judge(evidence: Evidence, args: Order) -> Finding:
    """Compare the first firing samples. Groups are evaluated at offsets of their own: one evaluation is no order."""
    starts = {}
    for name in (args.first, args.then):
        fired = firings(evidence, args, name)
        if fired.begun:
            starts[name] = fired.begun[0].start
        elif fired.episodes:
            return unknown(f"{name} was already firing, so nothing shows the order.")
    if args.then not in starts:
        return unknown(f"{args.then} never fired, so there was no order.")
    if args.first not in starts:
        return failed(f"{args.then} fired, and {args.first} never did.")
    after_s = (starts[args.then] - starts[args.first]) * evidence.speed
    tolerance_s = max(evidence.evaluation_s(name) for name in starts) * evidence.speed
    figures = {"after_s": round(after_s, 3), "tolerance_s": round(tolerance_s, 3)}
    if after_s < -tolerance_s:
        return failed(f"{args.then} fired {rounded(-after_s)} s before {args.first}.", **figures)
    if after_s <= tolerance_s:
        return passed(
            f"{args.first} and {args.then} fired within one evaluation ({rounded(tolerance_s)} s).", **figures
        )
    return passed(f"{args.first} fired {rounded(after_s)} s before {args.then}.", **figures)


CHECK = Check(
    summary="The alert of the cause fires before that of the symptom, or within one evaluation of it.",
    args=Order,
    judge=judge,
    streams=("alerts",),
    files=("metrics/",),
)
