"""JUnit XML for CI servers: a suite per drill, a case per verdict. Fail is <failure>, unknown is <error>: both red."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from tocsin.harness.judging.check import Answer, Verdict
from tocsin.harness.report.drill_figures import Summary

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 has no way to write these

_TOTALS = {"tests": "testcase", "failures": ".//failure", "errors": ".//error", "skipped": ".//skipped"}


@dataclass(frozen=True, kw_only=True)
class Unjudged:
    """A drill without verdicts: `skipped` when this machine cannot play it, else an error."""

    scenario: str
    sentence: str
    skipped: bool


def document(drills: Iterable[Summary | Unjudged]) -> str:
    """Return the XML of all drills."""
    root = Xml.Element("testsuites", name="tocsin")
    for drill in drills:
        root.append(_judged(drill) if isinstance(drill, Summary) else _unjudged(drill))
    for total in _TOTALS:
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _judged(summary: Summary) -> Xml.Element:
    suite = Xml.Element("testsuite", name=summary.scenario, time=f"{summary.wall_s:.3f}")
    properties = Xml.SubElement(suite, "properties")
    facts = {"run_id": summary.run_id, "speed": f"{summary.speed:g}", "outcome": summary.outcome}
    for name, value in facts.items():
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    for verdict in summary.verdicts:
        suite.append(_case(summary, verdict))
    if summary.trouble:
        Xml.SubElement(_own_case(suite), "error", type="unknown", message=_clean(summary.trouble))
    return _counted(suite)


def _own_case(suite: Xml.Element) -> Xml.Element:
    """Return a new case about the drill itself."""
    return Xml.SubElement(suite, "testcase", classname=suite.get("name", ""), name="the drill itself", time="0")


def _case(summary: Summary, verdict: Verdict) -> Xml.Element:
    name = verdict.title
    if not name.startswith(verdict.check):
        name = f"{verdict.check} {name}".strip()
    case = Xml.Element("testcase", classname=summary.scenario, name=_clean(name), time="0")
    if verdict.waiver:
        properties = Xml.SubElement(case, "properties")
        Xml.SubElement(properties, "property", name="waiver", value=_clean(verdict.waiver))
    if verdict.counted is Answer.PASS:
        Xml.SubElement(case, "system-out").text = _clean(" ".join(filter(None, (verdict.reason, verdict.waiver))))
        return case
    tag = {Answer.FAIL: "failure"}.get(verdict.answer, "error")
    problem = Xml.SubElement(case, tag, type=verdict.answer.value, message=_clean(verdict.reason))
    problem.text = _clean("\n".join(filter(None, (verdict.reason, verdict.waiver, *verdict.files))))
    return case


def _unjudged(drill: Unjudged) -> Xml.Element:
    suite = Xml.Element("testsuite", name=drill.scenario, time="0")
    if drill.skipped:
        Xml.SubElement(_own_case(suite), "skipped", message=_clean(drill.sentence))
    else:
        Xml.SubElement(_own_case(suite), "error", type="unknown", message=_clean(drill.sentence))
    return _counted(suite)


def _counted(suite: Xml.Element) -> Xml.Element:
    for total, path in _TOTALS.items():
        suite.set(total, str(len(suite.findall(path))))
    return suite


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
