"""Judge: evidence and checks in, verdicts out. Pure and repeatable: no network, no clock, no file but the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from tocsin.harness.declarations.scenario import Expectation
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.judging.check import AnyCheck, Finding, Verdict, unknown
from tocsin.harness.judging.obstacles import cut_short, never_began, not_ready, obstacle
from tocsin.harness.judging.verdicts import began_on, find, verdict

LOAD = "load/delivered"
"""The check that gates all others that need load; judged first, asked for or not, and as a gate on the whole run."""

_PLACES = ("in", "during")


def judge(evidence: Evidence, checks: Mapping[str, AnyCheck], only: str | None = None) -> tuple[Verdict, ...]:
    """Return a verdict for each line of `expect` whose check id matches the glob `only`; the load's comes first.

    The load is judged even if the scenario does not list it. Never raises for what a run lacks: that is unknown.
    """
    expect = evidence.scenario.expect
    load_line = next((line for line in expect if line.check == LOAD), Expectation(check=LOAD, args={}))
    load = _find(evidence, checks, load_line, None)
    gate = _load_gate(evidence, checks, load_line, load)
    findings = [(load_line, load)]
    findings += [(line, _find(evidence, checks, line, gate)) for line in expect if line is not load_line]
    day, files = began_on(evidence), {name: check.files for name, check in checks.items()}
    return tuple(
        verdict(line, finding, day, files.get(line.check, ()))
        for line, finding in findings
        if only is None or fnmatchcase(line.check, only)
    )


def _load_gate(evidence: Evidence, checks: Mapping[str, AnyCheck], line: Expectation, load: Finding) -> Finding:
    """Return whether the load was delivered wherever `line` looks; a run cut short is still judged up to there."""
    gate = Expectation(check=LOAD, args={key: value for key, value in line.args.items() if key not in _PLACES})
    if evidence.play is not None and cut_short(evidence, evidence.play):
        return find(gate, checks, lambda check: check.judge(evidence, gate.arguments(check.args)))
    return load if gate.args == line.args else _find(evidence, checks, gate, None)


def _find(evidence: Evidence, checks: Mapping[str, AnyCheck], line: Expectation, load: Finding | None) -> Finding:
    """Ask the check of a line, unless something stands in the way of an answer; `load` is None for the load itself."""

    def ask(check: AnyCheck) -> Finding:
        args = line.arguments(check.args)
        streams = (*check.streams, *check.more_streams(args))
        reason = never_began(evidence) or not_ready(evidence, streams)
        if not reason:
            reason = obstacle(evidence, check, args, streams, load)
        if reason:
            return unknown(reason)
        return check.judge(evidence, args)

    return find(line, checks, ask)
