"""From a command line to timelines: finds the files, loads and plans all of them, and gathers every mistake first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tocsin.harness.cli.engine_registry import folder_named, scenario_files
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.declarations.scenario import Catalogue, Timeline
from tocsin.harness.planning.diagnostics import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Drill:
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
) -> tuple[Drill, ...]:
    """Load and plan every scenario named or found in a folder; UsageError holds the mistakes of all of them.

    `workers` replaces the number of traffic workers that a scenario asks for.
    """
    from tocsin.harness.planning.loader import load
    from tocsin.harness.planning.timeline import plan

    made: list[Drill] = []
    mistakes: list[Mistake] = []
    for path, in_suite in _files(paths, mistakes).items():
        try:
            scenario, found = load(path, catalogue, stack, seed)
            if workers is not None:
                traffic = scenario.traffic.model_copy(update={"workers": workers})
                scenario = scenario.model_copy(update={"traffic": traffic})
            timeline = plan(scenario, found, catalogue, seed, speed)
        except UsageError as error:
            mistakes += [mistake for mistake in error.mistakes if mistake not in mistakes]
        else:
            made.append(Drill(path=path, timeline=timeline, in_suite=in_suite))
    if mistakes:
        raise UsageError(mistakes)
    return tuple(made)


def gathered(*steps: Callable[[], Any]) -> list[Any]:
    """Return what each step returns; if some find mistakes, one UsageError holds those of all."""
    results: list[Any] = []
    mistakes: list[Mistake] = []
    for step in steps:
        try:
            results.append(step())
        except UsageError as error:
            mistakes += error.mistakes
    if mistakes:
        raise UsageError(mistakes)
    return results


def _files(paths: Iterable[Path], mistakes: list[Mistake]) -> dict[Path, bool]:
    """Return the scenario files in order, each once, with whether it came from a folder."""
    found: dict[Path, bool] = {}
    for path in paths:
        named = _by_name(path)
        if path.is_dir():
            inside = scenario_files(path)
            found |= {file: True for file in inside if file not in found}
            if not inside:
                mistakes.append(_absent(path, "a folder without *.yaml", "scenario files directly in it"))
        elif named is not None:
            found[named] = False
        else:
            mistakes.append(
                _absent(path, "nothing there", "a scenario file, a folder of them, or a name", _suggest(path))
            )
    return found


def _by_name(path: Path) -> Path | None:
    """Return the file; a bare name such as `tour` stands for scenarios/tour.yaml."""
    if path.exists():
        return path
    bare = folder_named("scenarios") / f"{path.name}.yaml"
    return bare if len(path.parts) == 1 and not path.suffix and bare.is_file() else None


def _absent(path: Path, value: str, expected: str, hint: str = "") -> Mistake:
    return Mistake(file=str(path), line=0, where="scenario", value=value, expected=expected, hint=hint)


def _suggest(path: Path) -> str:
    folder = path.parent if len(path.parts) > 1 else folder_named("scenarios")
    names = [file.stem for file in scenario_files(folder)] if folder.is_dir() else []
    return did_you_mean(path.stem, names) or "`tocsin ls` lists what there is."


def refuse(
    found: Iterable[Drill],
    *,
    only: str | None,
    writes: Iterable[Path],
    owns_stack: bool = True,
    allow_faults: bool = False,
    allow_pages: bool = False,
) -> None:
    """Refuse what cannot be played honestly, may not be broken, or cannot be written down; UsageError with all reasons.

    `owns_stack`: the engine brings the stack up itself; elsewhere faults need `allow_faults` and stack.yaml's list, a
    stack that can page somebody needs `allow_pages`, and time cannot be divided.
    """
    mistakes: list[Mistake] = []
    for drill in found:
        for limit in drill.timeline.limits:
            speed = f"{drill.timeline.speed:g}"
            mistakes.append(
                Mistake(
                    file=str(drill.path), line=0, where="--speed", value=speed, expected="an honest speed", hint=limit
                )
            )
        mistakes += [] if owns_stack else _not_ours(drill, allow_faults, allow_pages)
    checks = [line.check for drill in found for line in drill.timeline.scenario.expect]
    if only is not None and not any(fnmatchcase(check, only) for check in checks):
        known = ", ".join(sorted(set(checks)))
        hint = did_you_mean(only, checks)
        mistakes.append(
            Mistake(
                file="--only",
                line=0,
                where="check",
                value=only,
                expected=f"a glob that fits one of: {known}",
                hint=hint,
            )
        )
    mistakes += [] if mistakes else [mistake for folder in writes for mistake in _made(folder)]
    if mistakes:
        raise UsageError(mistakes)


def _not_ours(drill: Drill, allow_faults: bool, allow_pages: bool) -> list[Mistake]:
    """Return what may not be done on somebody else's stack: each such fault, a speed, paging people without leave."""
    from tocsin.harness.declarations.guardrails import Broken, forbidden
    from tocsin.harness.faults.bases.reach import reach

    stack = drill.timeline.stack
    planned = [
        Broken(name=one.name, kind=one.kind, params=one.params, reach=reach(one.kind, one.params, stack),
               start_s=one.inject_s, end_s=one.heal_s)
        for one in drill.timeline.faults
    ]  # fmt: skip
    found = forbidden(planned, stack.allow_faults, owns_stack=False, asked=allow_faults)
    expected = "harmless faults, or those that stack.yaml lists and --allow-faults asks for"
    mistakes = [
        Mistake(file=str(drill.path), line=0, where="faults", value=fault.kind, expected=expected, hint=sentence)
        for fault, sentence in found
    ]
    speed, pages = drill.timeline.speed, stack.alertmanager is not None or "alertmanager" in stack.roles
    if speed != 1:
        expected = "1 on a stack that is not ours, whose times nobody divides"
        mistakes.append(Mistake(file="--speed", line=0, where="speed", value=f"{speed:g}", expected=expected))
    if pages and not allow_pages:
        expected = "--allow-pages, since this drill may page the people who are on call"
        mistakes.append(Mistake(file=str(drill.path), line=0, where="pages", value="no leave", expected=expected))
    return mistakes


def _made(folder: Path) -> list[Mistake]:
    """Make a folder to write in; return the mistake of naming one that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refused = "" if os.access(folder, os.W_OK | os.X_OK) else "not writable"
    except OSError as error:
        refused = (error.strerror or "not possible").lower()
    expected = "a folder to write in"
    return [Mistake(file=str(folder), line=0, where="folder", value=refused, expected=expected)] if refused else []


def lacking(drill: Drill, engine: Any = None) -> list[str]:
    """Return what the drill's faults need and this stack or engine does not have; empty when it can be played."""
    from tocsin.harness import faults

    stack = drill.timeline.stack
    planned = drill.timeline.faults
    handles = engine.handles(stack) if hasattr(engine, "handles") else None
    found = [sentence for one in planned for sentence in faults.lacking(one.kind, one.params, stack, handles)]
    if engine is not None and not getattr(engine, "owns_stack", False):
        needed = {one.kind: faults.needs(one.kind, one.params) for one in planned}
        edges = [kind for kind, needs in needed.items() if any(need.startswith("edge:") for need in needs)]
        found += [f"Fault {kind} needs a proxy on an edge; none stands in a system that is not ours." for kind in edges]
    return found
