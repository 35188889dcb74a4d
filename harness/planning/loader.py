"""Read a scenario or stack file into frozen values; every mistake at once, with line, value, expectation and hint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

import tocsin.harness
from tocsin.harness.core.errors import Mistake, UnknownName, UsageError
from tocsin.harness.core.untyped_data import items, mapping
from tocsin.harness.declarations.scenario import Catalogue, Expectation, Scenario, Waiver
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.diagnostics import Page, pieces, unknown_name
from tocsin.harness.planning.fault_schedule import read_faults
from tocsin.harness.planning.reference_check import unresolved

STACKS = Path(tocsin.harness.__file__).resolve().parent.parent / "stacks"
_WAIVE = "waive"
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def load(
    path: Path, catalogue: Catalogue, stack_name: str | None = None, seed: int | None = None
) -> tuple[Scenario, Stack]:
    """Read a scenario file and the stack it names (or `stack_name`, a name or folder); UsageError holds all mistakes.

    `seed` replaces the scenario's: names of drawn faults depend on it.
    """
    page = read_page(path)
    mistakes: list[Mistake] = []
    timeline = items(page.content.get("timeline"))
    faults = [read_faults(page, index, phase, catalogue.faults, mistakes) for index, phase in enumerate(timeline)]
    expect = expectations(page, page.content, catalogue.checks, mistakes)
    skeleton = {**page.content, "expect": [{"check": "load/delivered", "args": {}}]}
    skeleton["timeline"] = [_without_faults(phase) for phase in timeline]
    bare = pieces(page, (), Scenario, skeleton, mistakes)
    if not page.content.get("expect"):
        mistakes.append(page.mistake((), "expect", "nothing", "at least one line such as `- alerts/quiet: {}`"))
    stack = _stack(page, stack_name or page.content.get("stack", "reference"), mistakes)
    if stack is not None:
        mistakes += unresolved(page, stack, catalogue, faults, expect, bare, seed)
    if bare is None or stack is None or mistakes:
        raise UsageError(sorted(mistakes, key=lambda mistake: (mistake.file != page.file, mistake.line)))
    phases = []
    for phase, written in zip(bare.timeline, faults, strict=True):
        plans = tuple(fault.plan for fault in written if fault.plan is not None)
        phases.append(phase.model_copy(update={"faults": plans}))
    scenario = bare.model_copy(update={"timeline": tuple(phases), "expect": tuple(expect)})
    return scenario.at(path.resolve().parent), stack


def load_stack(name: str) -> Stack:
    """Read the stack folder of that name (below `stacks/`) or path; UsageError if there is none or it is wrong."""
    folder = Path(name) if Path(name, "stack.yaml").is_file() else STACKS / name
    path = folder / "stack.yaml"
    if not path.is_file():
        known = [file.parent.name for file in STACKS.glob("*/stack.yaml")]
        raise UsageError([unknown_name(name, "stack", name, known)])
    stamp = path.stat()
    return _read_stack(path, folder.resolve(), (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))


@lru_cache(maxsize=16)
def _read_stack(path: Path, folder: Path, stamp: object) -> Stack:
    """Read a stack.yaml, once as long as its stamp stays the same: a suite names it in every scenario."""
    page = read_page(path)
    mistakes: list[Mistake] = []
    stack = pieces(page, (), Stack, page.content, mistakes)
    if stack is None:
        raise UsageError(mistakes)
    return stack.at(folder)


def read_page(path: Path) -> Page:
    """Read a YAML file with the line of every key and item; UsageError if it is missing or not a YAML mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError.of(path, "file", error.strerror or "unreadable", "a readable file") from None
    except UnicodeDecodeError:
        raise UsageError.of(path, "file", "bytes that are not UTF-8", "UTF-8 text") from None
    yaml = YAML(typ="safe", pure=True)
    content: object = None
    try:
        lines = yaml.compose(text)
        if lines is not None:
            content = yaml.constructor.construct_document(lines)
    except ValueError as error:  # YAML takes 2027-02-31 for a date
        line = next((number for number, row in enumerate(text.splitlines(), start=1) if _no_date(row)), 0)
        raise UsageError.of(path, "YAML", str(error), "a date such as 2027-01-31", line=line) from None
    except MarkedYAMLError as error:
        problem = error.problem or str(error).splitlines()[0]
        line = getattr(error.problem_mark, "line", -1) + 1
        raise UsageError.of(path, "YAML", problem, "valid YAML", line=line) from None
    except YAMLError as error:
        raise UsageError.of(path, "YAML", str(error).splitlines()[0], "valid YAML") from None
    if not isinstance(content, dict):
        expected = "a mapping with version, name, timeline, expect"
        raise UsageError.of(path, "file", type(content).__name__, expected, line=1)
    return Page(file=str(path), content=content, lines=lines)


def _no_date(row: str) -> bool:
    for text in _DATE.findall(row):
        try:
            date.fromisoformat(text)
        except ValueError:
            return True
    return False


def _without_faults(phase: object) -> object:
    if not isinstance(phase, dict):
        return phase
    return {key: value for key, value in phase.items() if key != "faults"}


def _stack(page: Page, name: object, mistakes: list[Mistake]) -> Stack | None:
    try:
        return load_stack(str(name))
    except UsageError as error:
        for mistake in error.mistakes:
            if isinstance(mistake, UnknownName) and mistake.kind == "stack":
                mistake = replace(mistake, file=page.file, line=page.line(("stack",)))
                if name is None:
                    mistake = replace(mistake, hint='one called null is written `stack: "null"`, in quotation marks.')
            mistakes.append(mistake)
    return None


def expectations(
    page: Page, raw: Mapping[str, object], checks: Mapping[str, type[BaseModel]], mistakes: list[Mistake]
) -> list[Expectation]:
    """Return each line of `expect` with its validated arguments, None where they are wrong; `checks`: id -> model."""
    lines: list[Expectation] = []
    written = raw.get("expect")
    if written is not None and not isinstance(written, list):
        mistakes.append(page.mistake(("expect",), "expect", repr(written), "a list of checks"))
    for index, entry in enumerate(items(written)):
        path = ("expect", index)
        names = [name for name in mapping(entry) if name != _WAIVE]
        if len(names) != 1:
            expected = "one check with its arguments, `- alerts/quiet: {}`"
            mistakes.append(page.mistake(path, "expect", repr(entry), expected))
            continue
        (name,), fields = names, mapping(entry)
        waiver = None
        if _WAIVE in fields:
            waiver = pieces(page, (*path, _WAIVE), Waiver, fields[_WAIVE], mistakes)
        line = Expectation(check=str(name), args=mapping(fields[name]), line=page.line(path), waive=waiver)
        model = page.known(path, "check", name, checks, mistakes)
        if model is not None:
            line = line.with_parsed(pieces(page, (*path, name), model, fields[name] or {}, mistakes))
        lines.append(line)
    return lines
