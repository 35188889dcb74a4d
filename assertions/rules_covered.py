"""rules/covered: which alert does no drill of the suite make fire?"""

from __future__ import annotations

from dataclasses import replace

from tocsin.harness.declarations.references import AlertName, SuiteArgs
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.judging.check import Drills, Finding, SuiteCheck, failed, passed, unknown


class Covered(SuiteArgs):
    """The alerts that need no drill."""

    may: tuple[AlertName, ...] = ()


def judge(drills: Drills, args: Covered) -> Finding:
    """Compare the alerts that were loaded with those that fired in at least one drill."""
    loaded: set[str] = set()
    fired: set[str] = set()
    for evidence in drills.played:
        loaded |= _loaded(evidence)
        fired |= {one.alert for one in replace(evidence).alerts.all}  # a copy, so that its samples are not kept
    if not loaded:
        return unknown("No drill says which alerts were loaded.")
    promised = {str(line.args.get("alert")) for one in drills.unplayed for line in one.expect if "alert" in line.args}
    bare = sorted(loaded - fired - set(args.may))
    idle = [name for name in bare if name not in promised]
    figures = {"loaded": len(loaded), "fired": len(loaded & fired), "never": bare}
    told = f"{len(loaded & fired)} of {len(loaded)} alerts fired in {_drills(len(drills.played))}"
    if not idle:
        allowed = sorted((loaded - fired) & set(args.may))
        later = f"; only drills that were not played may fire {', '.join(bare)}" if bare else ""
        rest = f"; allowed to be silent: {', '.join(allowed)}" if allowed else ""
        return passed(f"{told}{later}{rest}.", **figures)
    cut = [str(one.run["scenario"]["name"]) for one in drills.played if one.run.get("outcome") != "completed"]
    if cut:
        return unknown(f"{told}; not {', '.join(idle)}, and {', '.join(cut)} was not played to its end.", **figures)
    return failed(f"{told}; no drill makes {', '.join(idle)} fire.", **figures)


def _loaded(evidence: Evidence) -> set[str]:
    watchdog = evidence.signals.watchdog.alert if evidence.signals.watchdog else ""
    return {str(rule["name"]) for rule in evidence.run["alerts"] if rule["loaded"]} - {watchdog}


def _drills(count: int) -> str:
    return "the one drill" if count == 1 else f"at least one of {count} drills"


CHECK = SuiteCheck(
    summary="Every alert that is loaded fires in at least one drill of the suite.",
    args=Covered,
    judge=judge,
)
