"""rules/covered: which alert does no drill of the suite make fire?"""

from __future__ import annotations

from dataclasses import replace

from tocsin.harness.declarations.check_arguments import AlertName, SuiteArgs
from tocsin.harness.judging.alert_check_helpers import watchdog_alert
from tocsin.harness.judging.check import Drills, Finding, SuiteCheck, failed, passed, unknown


class Covered(SuiteArgs):
    """The alerts that need no drill."""

    may: tuple[AlertName, ...] = ()


def judge(drills: Drills, args: Covered) -> Finding:
    """Compare the alerts that were loaded with those that fired in at least one drill."""
    loaded: set[str] = set()
    fired: set[str] = set()
    for evidence in drills.played:
        loaded |= {str(rule["name"]) for rule in evidence.run["alerts"] if rule["loaded"]}
        loaded -= {watchdog_alert(evidence)}
        fired |= {episode.alert for episode in replace(evidence).alerts.all}  # a copy: its samples are not kept
    if not loaded:
        return unknown("No drill says which alerts were loaded.")
    silent = loaded - fired
    never = sorted(silent - set(args.may))
    lines = [line for scenario in drills.unplayed for line in scenario.expect if "alert" in line.args]
    promised = {str(line.args["alert"]) for line in lines}
    idle = ", ".join(name for name in never if name not in promised)
    figures = {"loaded": len(loaded), "fired": len(loaded & fired), "never": never}
    story = f"{len(loaded & fired)} of {len(loaded)} alerts fired in {_drills(len(drills.played))}"
    cut = [str(one.run["scenario"]["name"]) for one in drills.played if one.run.get("outcome") != "completed"]
    if idle and cut:
        return unknown(f"{story}; not {idle}, and {', '.join(cut)} was not played to its end.", **figures)
    if idle:
        return failed(f"{story}; no drill makes {idle} fire.", **figures)
    if never:
        story += f"; only drills that were not played may fire {', '.join(never)}"
    if silent & set(args.may):
        story += f"; allowed to be silent: {', '.join(sorted(silent & set(args.may)))}"
    return passed(f"{story}.", **figures)


def _drills(count: int) -> str:
    return "the one drill" if count == 1 else f"at least one of {count} drills"


CHECK = SuiteCheck(
    summary="Every alert that is loaded fires in at least one drill of the suite.",
    args=Covered,
    judge=judge,
)
