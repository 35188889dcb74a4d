"""From a command line to timelines: finds the files, plans all of them, and refuses what may not be played."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.harness.cli.engine_registry import folder_named, scenario_files
from tocsin.harness.cli.usage_errors import COMMAND_LINE, Mistakes, usage_error
from tocsin.harness.core.errors import UsageError
from tocsin.harness.declarations.scenario import Catalogue
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.planning.diagnostics import did_you_mean, unknown_name
from tocsin.harness.planning.loader import load
from tocsin.harness.planning.planner import plan

if TYPE_CHECKING:
    from tocsin.harness.engines.contract import Engine


@dataclass(frozen=True, kw_only=True)
class PlannedDrill:
    """A scenario ready to be played. `in_suite`: it was found in a folder, not named by itself."""

    path: Path
    timeline: Timeline
    in_suite: bool

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.timeline.scenario.name


def drills(
    paths: Iterable[Path],
    *,
    catalogue: Catalogue,
    stack: str | None,
    seed: int | None,
    speed: float,
    workers: int | None = None,
) -> tuple[PlannedDrill, ...]:
    """Load and plan every scenario named or found in a folder; UsageError holds the mistakes of all of them.

    `workers` replaces the number of traffic workers that a scenario asks for.
    """
    planned: list[PlannedDrill] = []
    mistakes = Mistakes()
    for path, in_suite in _files(paths, mistakes).items():
        with mistakes:
            scenario, loaded_stack = load(path, catalogue, stack, seed)
            if workers is not None:
                traffic = scenario.traffic.model_copy(update={"workers": workers})
                scenario = scenario.model_copy(update={"traffic": traffic})
            timeline = plan(scenario, loaded_stack, catalogue, seed, speed)
            planned.append(PlannedDrill(path=path, timeline=timeline, in_suite=in_suite))
    mistakes.refuse()
    return tuple(planned)


def _files(paths: Iterable[Path], mistakes: Mistakes) -> dict[Path, bool]:
    """Return the scenario files in order, each once, with whether it came from a folder."""
    files: dict[Path, bool] = {}
    for path in paths:
        named = _by_name(path)
        if path.is_dir():
            inside = scenario_files(path)
            for file in inside:
                files.setdefault(file, True)
            if not inside:
                mistakes.add("scenario", "a folder without *.yaml", "scenario files directly in it", place=path)
        elif named is not None:
            files[named] = False
        else:
            mistakes.keep(_no_scenario(path))
    return files


def _no_scenario(path: Path) -> UsageError:
    """Return the mistake of a path that is not there; a bare name gets the nearest one as a suggestion."""
    if len(path.parts) > 1 or path.suffix:
        hint = did_you_mean(path.stem, (file.stem for file in scenario_files(path.parent)))
        return usage_error("scenario", "no such file", "a scenario file or a folder of them", hint, place=path)
    names = (file.stem for file in scenario_files(folder_named("scenarios")))
    return UsageError([unknown_name(COMMAND_LINE, "scenario", path.name, names)])


def _by_name(path: Path) -> Path | None:
    """Return the file; a bare name such as `tour` stands for scenarios/tour.yaml."""
    if path.exists():
        return path
    file = folder_named("scenarios") / f"{path.name}.yaml"
    if len(path.parts) == 1 and not path.suffix and file.is_file():
        return file
    return None


def refuse(
    planned: Iterable[PlannedDrill], engine: Engine, *, only: str | None, allow_faults: bool, allow_pages: bool
) -> None:
    """Refuse what cannot be played honestly, or may not be broken; UsageError with all reasons.

    On an external stack faults need `allow_faults` and stack.yaml's list, a stack that can page somebody needs
    `allow_pages`, and time cannot be divided.
    """
    mistakes = Mistakes()
    for drill in planned:
        for limit in drill.timeline.limits:
            mistakes.add("--speed", f"{drill.timeline.speed:g}", "an honest speed", limit, place=drill.path)
        if not engine.owns_stack:
            _refuse_elsewhere(drill, allow_faults, allow_pages, mistakes)
    checks = sorted({line.check for drill in planned for line in drill.timeline.scenario.expect})
    if only is not None and not any(fnmatchcase(check, only) for check in checks):
        mistakes.add("--only", only, f"a glob that fits one of: {', '.join(checks)}", did_you_mean(only, checks))
    mistakes.refuse()


def _refuse_elsewhere(drill: PlannedDrill, allow_faults: bool, allow_pages: bool, mistakes: Mistakes) -> None:
    """Add what may not be done on an external stack: each such fault, a speed, paging people without leave."""
    from tocsin.harness.declarations.guardrails import forbidden

    stack = drill.timeline.stack
    broken = [fault.active(stack) for fault in drill.timeline.faults]
    expected = "harmless faults, or those that stack.yaml lists and --allow-faults asks for"
    for fault, sentence in forbidden(broken, stack.allow_faults, owns_stack=False, allow_faults=allow_faults):
        mistakes.add("faults", fault.kind, expected, sentence, place=drill.path)
    if drill.timeline.speed != 1:
        mistakes.add("--speed", f"{drill.timeline.speed:g}", "1: the times of an external stack cannot be divided")
    if (stack.alertmanager is not None or "alertmanager" in stack.roles) and not allow_pages:
        expected = "this option, because the drill may page the people on call"
        mistakes.add("--allow-pages", "nothing", expected, place=drill.path)


def make_folders(folders: Iterable[Path]) -> None:
    """Make the folders to write in; UsageError names those that cannot be written."""
    mistakes = Mistakes()
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            refusal = "" if os.access(folder, os.W_OK | os.X_OK) else "not writable"
        except OSError as error:
            refusal = (error.strerror or "not possible").lower()
        if refusal:
            mistakes.add("folder", refusal, "a folder to write in", place=folder)
    mistakes.refuse()


def lacking(drill: PlannedDrill, engine: Engine) -> list[str]:
    """Return what the drill's faults need and this stack or engine does not have; empty when it can be played."""
    from tocsin.harness import faults

    stack = drill.timeline.stack
    capabilities = engine.capabilities(stack)
    sentences: list[str] = []
    on_edges: dict[str, None] = {}
    for planned in drill.timeline.faults:
        sentences += faults.lacking(planned.fault, stack, capabilities)
        if any(need.startswith("edge:") for need in planned.fault.needs()):
            on_edges[planned.kind] = None
    if not engine.owns_stack:
        sentences += [f"Fault {kind} needs a proxy on an edge; an external stack has none." for kind in on_edges]
    return sentences
