"""Read a scenario or stack file into frozen values; every mistake at once, with line, value, expectation and hint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

import tocsin.harness
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.declarations.scenario import Catalogue, Expectation, Scenario, Waiver
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.diagnostics import Page, pieces
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
    raw = page.content
    mistakes: list[Mistake] = []
    faults = [
        read_faults(page, index, phase, catalogue.faults, mistakes)
        for index, phase in enumerate(_list(raw.get("timeline")))
    ]
    expect = expectations(page, raw, catalogue.checks, mistakes)
    skeleton = {**raw, "expect": [{"check": "load/delivered", "args": {}}]}
    skeleton["timeline"] = [_without_faults(phase) for phase in _list(raw.get("timeline"))]
    bare = pieces(page, (), Scenario, skeleton, mistakes)
    if not raw.get("expect"):
        mistakes.append(page.mistake((), "expect", "nothing", "at least one line such as `- alerts/quiet: {}`"))
    stack = _stack(page, stack_name or raw.get("stack", "reference"), mistakes)
    if stack is not None:
        mistakes += unresolved(page, stack, catalogue, faults, expect, bare, seed)
    if bare is None or stack is None or mistakes:
        raise UsageError(sorted(mistakes, key=lambda mistake: (mistake.file != page.file, mistake.line)))
    phases = [
        phase.model_copy(update={"faults": tuple(one.plan for one in mine if one.plan is not None)})
        for phase, mine in zip(bare.timeline, faults, strict=True)
    ]
    whole = bare.model_copy(update={"timeline": tuple(phases), "expect": tuple(expect)})
    return whole.at(path.resolve().parent), stack


def load_stack(name: str) -> Stack:
    """Read the stack folder of that name (below `stacks/`) or path; UsageError if there is none or it is wrong."""
    folder = Path(name) if Path(name, "stack.yaml").is_file() else STACKS / name
    path = folder / "stack.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in STACKS.glob("*/stack.yaml")))
        raise UsageError(
            [
                Mistake(
                    file=str(name),
                    line=0,
                    where="stack",
                    value=name,
                    expected=f"a folder with a stack.yaml, or one of: {known}",
                )
            ]
        )
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
        yaml = YAML(typ="safe", pure=True)
        lines = yaml.compose(text)
        content = yaml.constructor.construct_document(lines) if lines is not None else None
    except OSError as error:
        raise UsageError(
            [
                Mistake(
                    file=str(path),
                    line=0,
                    where="file",
                    value=error.strerror or "unreadable",
                    expected="a readable file",
                )
            ]
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            [Mistake(file=str(path), line=0, where="file", value="bytes that are not UTF-8", expected="UTF-8 text")]
        ) from None
    except ValueError as error:  # YAML takes 2027-02-31 for a date
        line = next((at for at, row in enumerate(text.splitlines(), start=1) if _no_date(row)), 0)
        raise UsageError(
            [Mistake(file=str(path), line=line, where="YAML", value=str(error), expected="a date such as 2027-01-31")]
        ) from None
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        problem = (error.problem if isinstance(error, MarkedYAMLError) else None) or str(error).splitlines()[0]
        raise UsageError(
            [
                Mistake(
                    file=str(path),
                    line=mark.line + 1 if mark else 0,
                    where="YAML",
                    value=problem,
                    expected="valid YAML",
                )
            ]
        ) from None
    if not isinstance(content, dict):
        raise UsageError(
            [
                Mistake(
                    file=str(path),
                    line=1,
                    where="file",
                    value=type(content).__name__,
                    expected="a mapping with version, name, timeline, expect",
                )
            ]
        )
    return Page(file=str(path), content=content, lines=lines)


def _no_date(row: str) -> bool:
    for found in _DATE.findall(row):
        try:
            date.fromisoformat(found)
        except ValueError:
            return True
    return False


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _without_faults(phase: Any) -> Any:
    return {key: value for key, value in phase.items() if key != "faults"} if isinstance(phase, dict) else phase


def _stack(page: Page, name: object, mistakes: list[Mistake]) -> Stack | None:
    try:
        return load_stack(str(name))
    except UsageError as error:
        for mistake in error.mistakes:
            known = mistake.where == "stack"
            hint = 'The stack of that name is written `stack: "null"`, in quotation marks.' if name is None else ""
            here = page.mistake(("stack",), "stack", mistake.value, mistake.expected, hint)
            mistakes.append(here if known else mistake)
    return None


def expectations(
    page: Page, raw: Mapping[str, Any], checks: Mapping[str, type[BaseModel]], mistakes: list[Mistake]
) -> list[Expectation]:
    """Return each line of `expect` with its validated arguments, None where they are wrong; `checks`: id -> model."""
    lines: list[Expectation] = []
    if raw.get("expect") is not None and not isinstance(raw["expect"], list):
        mistakes.append(page.mistake(("expect",), "expect", repr(raw["expect"]), "a list of checks"))
    for index, entry in enumerate(_list(raw.get("expect"))):
        path = ("expect", index)
        written = [(key, value) for key, value in entry.items() if key != _WAIVE] if isinstance(entry, dict) else []
        if len(written) != 1:
            mistakes.append(
                page.mistake(path, "expect", repr(entry), "one check with its arguments, `- alerts/quiet: {}`")
            )
            continue
        ((name, args),) = written
        waived = pieces(page, (*path, _WAIVE), Waiver, entry[_WAIVE], mistakes) if _WAIVE in entry else None
        model = page.known(path, "check", name, checks, mistakes)
        parsed = pieces(page, (*path, name), model, args or {}, mistakes) if model else None
        given = args if isinstance(args, dict) else {}
        line = Expectation(check=str(name), args=given, line=page.line(path), waive=waived)
        lines.append(line.with_parsed(parsed))
    return lines
