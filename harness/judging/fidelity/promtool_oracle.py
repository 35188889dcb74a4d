"""promtool as an independent oracle: the original rules of one group over stretched samples, in virtual time.

One test per group, which begins at the group's first evaluation, so that each evaluation here is one of the run's.
`ALERTS` is asked for at every evaluation with an expectation that is wrong on purpose: what promtool got is printed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.judging.fidelity.rule_groups import Group
from tocsin.harness.judging.fidelity.stretched_samples import Stretched, notation, selector

NONE, PENDING, FIRING = 0, 1, 2
Labels = frozenset[tuple[str, str]]
"""All labels of an alert, `alertname` included, without its state."""
STATES = {"pending": PENDING, "firing": FIRING}
"""What ALERTS calls them."""
_WRONG = [{"labels": 'deliberately{wrong="yes"}', "value": 1}]
_SAMPLE = re.compile(r'\{((?:[^"{}]|"(?:\\.|[^"\\])*")*)\} [-+0-9.EeINFanf]+')
_LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')
_GOT = re.compile(r"^ *expr: .*, time: (\S+),$\n^ *exp: .*$\n^ *got: ?(.*)$", re.MULTILINE)
_TOO_MANY = re.compile(r"rule: (\S+), time: .*too many samples")


@dataclass(frozen=True, kw_only=True)
class OracleAnswer:
    """What promtool says of one group: a state per evaluation for every alert it saw, and the rules over its cap."""

    tracks: Mapping[Labels, np.ndarray]
    over_cap: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Promtool:
    """The program, the folder it may write in, and how long one test may take (wall seconds)."""

    program: Path
    work: Path
    within_s: float = 300.0

    def ask(self, group: Group, needed: Sequence[Group], series: Sequence[Stretched], evaluations: int) -> OracleAnswer:
        """Return the states of the group's alerts at `evaluations` evaluations; EvidenceError if it cannot tell.

        Rules that need more samples than promtool allows are left out and named.
        """
        over: frozenset[str] = frozenset()
        for _ in range(1 + sum(len(each.rules) for each in needed)):
            output = self._run(group, needed, series, evaluations, over)
            more = frozenset(_TOO_MANY.findall(output)) - over
            if not more:
                return OracleAnswer(tracks=_tracks(output, group, evaluations), over_cap=over)
            over |= more
        raise EvidenceError(f"promtool refused every rule of {group.name}: {' '.join(output.split())[:300]}")

    def _run(
        self,
        group: Group,
        needed: Sequence[Group],
        series: Sequence[Stretched],
        evaluations: int,
        without: Collection[str],
    ) -> str:
        rules, test = self.work / "rules.json", self.work / "test.json"
        rules.write_text(json.dumps({"groups": [_content(each, without) for each in needed]}), encoding="utf-8")
        test.write_text(json.dumps(_test(group, needed, series, evaluations)), encoding="utf-8")
        argv = [str(self.program), "test", "rules", str(test)]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=self.within_s, check=False)
        except subprocess.TimeoutExpired:
            raise EvidenceError(f"promtool had not evaluated {group.name} after {self.within_s:g} s.") from None
        return done.stdout + done.stderr


def _content(group: Group, without: Collection[str]) -> dict[str, object]:
    """Return a group for promtool: annotations are left out, they decide nothing and may name what is not here."""
    kept = [rule for rule in group.rules if str(rule.get("alert") or rule.get("record")) not in without]
    plain = [{key: value for key, value in rule.items() if key != "annotations"} for rule in kept]
    return {"name": group.name, "rules": plain}


def _test(
    group: Group, needed: Sequence[Group], series: Sequence[Stretched], evaluations: int, step_s: float = 1.0
) -> dict[str, object]:
    times = [format_duration(at * group.interval_s) for at in range(evaluations)]
    written = [{"series": selector(each.labels), "values": notation(each, step_s)} for each in series]
    return {
        "rule_files": ["rules.json"],
        "evaluation_interval": format_duration(group.interval_s),
        "group_eval_order": [each.name for each in needed],
        "tests": [
            {
                "interval": format_duration(step_s),
                "input_series": [samples for samples in written if samples["values"]],
                "promql_expr_test": [{"expr": "ALERTS", "eval_time": at, "exp_samples": _WRONG} for at in times],
            }
        ],
    }


def _tracks(output: str, group: Group, evaluations: int) -> dict[Labels, np.ndarray]:
    answers = {round(parse_duration(time) / group.interval_s): got for time, got in _GOT.findall(output)}
    if answers.keys() != set(range(evaluations)):
        words = " ".join(output.replace("Unit Testing:", "").split())[:300]
        raise EvidenceError(f"promtool answered {len(answers)} of {evaluations} evaluations of {group.name}: {words}")
    tracks: dict[Labels, np.ndarray] = {}
    for at, got in answers.items():
        for inner in _SAMPLE.findall(got):
            labels = {key: json.loads(f'"{value}"') for key, value in _LABEL.findall(inner)}
            state = STATES.get(labels.pop("alertstate", ""), NONE)
            labels.pop("__name__", None)
            if labels.get("alertname") in group.alerts:
                track = tracks.setdefault(frozenset(labels.items()), np.zeros(evaluations, dtype=np.int8))
                track[at] = max(track[at], state)
    return tracks
