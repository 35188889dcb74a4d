"""rules/valid: do the tools accept the configuration, does every alert reach somebody, does every metric exist?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tocsin.harness.declarations.check_arguments import Args, ReceiverName
from tocsin.harness.evidence.check_bounds import phase_interval
from tocsin.harness.evidence.rendered_config import LoadedRule, declared_metrics, tool_output
from tocsin.harness.judging.alert_check_helpers import NotPromql, metrics_read
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown
from tocsin.harness.judging.wording import first_few

TOOLS = ("promtool_rules.txt", "promtool_config.txt", "amtool_config.txt")
NOBODY = "none"
"""The severity of alerts that are for machines, such as the Watchdog."""


class Valid(Args):
    """`may_lack`: metrics (globs) that need not exist; annotations that every alert has; severity -> its receivers."""

    may_lack: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ("summary", "description", "runbook_url")
    routes: Mapping[str, tuple[ReceiverName, ...]] = {}


def judge(evidence: Evidence, args: Valid) -> Finding:
    """Read what the tools said of the rendered files, and the files themselves."""
    rules, alerts = evidence.configuration.rules, evidence.configuration.alerts()
    if not rules:
        return failed("Prometheus was told to load no rule at all.")
    outputs = {name: str(tool_output(evidence.folder, name) or "") for name in TOOLS}
    absent = [name for name, output in outputs.items() if _exit(output) is None]
    refused = [name for name, output in outputs.items() if _exit(output)]
    routes = tool_output(evidence.folder, "routes.json")
    if not isinstance(routes, list):
        absent.append("routes.json")
        routes = []
    problems = [f"{name.partition('.')[0]} refuses: {_complaint(outputs[name])}" for name in refused]
    for rule in alerts:
        problems += _lacks(rule, args)
    problems += _routing(evidence, args, routes)
    problems += _unknown_metrics(evidence, args)
    figures = {"rules": len(rules), "problems": len(problems)}
    if problems:
        return failed(f"{first_few(problems, 3, '; ')}.", **figures)
    if absent:
        return unknown(f"promtool or amtool left no answer for {', '.join(absent)}, so the files are not proved valid.")
    story = f"{len(rules)} rules, {len(alerts)} of them alerts"
    return passed(f"{story}: valid, routed, and every metric they read exists.", **figures)


def window(evidence: Evidence, args: Valid) -> Interval:
    """The whole of play: a metric may come late."""
    return phase_interval(evidence, None)


def _exit(output: str) -> int | None:
    """Return the status in the last line of what a tool said, None if it did not come to its end."""
    last = output.rstrip().rpartition("\n")[2]
    code = last.removeprefix("exit ")
    if code == last or not code.isdigit():
        return None
    return int(code)


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("exit ")]
    wrong = [line for line in lines if any(word in line.lower() for word in ("fail", "error", "lint", "duplicate"))]
    return " ".join((wrong or lines)[-1:])[:300].rstrip(".") or "it gave no reason"


def _lacks(rule: LoadedRule, args: Valid) -> Iterator[str]:
    if not rule.labels.get("severity"):
        yield f"{rule.name} has no severity"
    missing = [name for name in args.annotations if not rule.annotations.get(name, "").strip()]
    if missing:
        yield f"{rule.name} has no {', '.join(missing)}"


def _routing(evidence: Evidence, args: Valid, routes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Compare where amtool leads each alert with what is declared; undeclared, the root's receiver is an accident."""
    default = str((evidence.configuration.alertmanager.get("route") or {}).get("receiver", ""))
    for row in routes:
        severity = str(row["labels"].get("severity", ""))
        receivers = [str(name) for name in row.get("receivers") or ()]
        declared = args.routes.get(severity)
        if not receivers:
            yield f"{row['alert']} reaches no receiver ({row.get('output') or 'amtool gave no reason'})"
        elif declared is not None:
            if sorted(receivers) != sorted(declared):
                yield f"{row['alert']} ({severity}) reaches {', '.join(receivers)}, not {', '.join(declared)}"
        elif severity not in ("", NOBODY) and row.get("by_default"):
            yield f"no route leads {row['alert']} ({severity}) anywhere, it falls to the root's receiver {default}"


def _unknown_metrics(evidence: Evidence, args: Valid) -> Iterator[str]:
    known = set(evidence.metrics.names()) | declared_metrics(evidence.folder)
    for rule in evidence.configuration.rules:
        try:
            names = metrics_read(rule.expr)
        except NotPromql as error:
            yield f"{rule.name} is not PromQL ({error.problem[:120]})"
            continue
        for name in sorted(names - known):
            if not any(fnmatchcase(name, glob) for glob in args.may_lack):
                yield f"{rule.name} reads {name}, which no target exposes"


CHECK = Check(
    summary="promtool and amtool accept the files, every alert is routed, every metric that a rule reads exists.",
    args=Valid,
    judge=judge,
    streams=("metrics",),
    needs_load=False,
    window=window,
    files=("config/tools/", "config/"),
)
