"""Assertions: one question per file, each a Check or, about several drills, a SuiteCheck; its id is its file's name."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from tocsin.harness.judging.check import AnyCheck, AnySuiteCheck, Check, SuiteCheck


def _checks() -> Iterator[AnyCheck | AnySuiteCheck]:
    """Yield the CHECK of every file of this folder: `alerts_fire.py` holds `alerts/fire`."""
    for name in sorted(module.name for module in iter_modules(__path__)):
        check: AnyCheck | AnySuiteCheck = import_module(f"{__name__}.{name}").CHECK
        yield replace(check, id=name.replace("_", "/", 1))


_FOUND = tuple(_checks())
ALL: tuple[AnyCheck, ...] = tuple(check for check in _FOUND if isinstance(check, Check))
SUITE: tuple[AnySuiteCheck, ...] = tuple(check for check in _FOUND if isinstance(check, SuiteCheck))
"""Questions about several drills together; they stand in a suite.yaml."""
