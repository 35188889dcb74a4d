"""When to send: each pacer turns a rate and a length into the load that is asked for.

Pacers are found by their files, and a pacer's name is its file's name. To add one: its file, rows in its test, its
README heading.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

from tocsin.harness.traffic.pacers.pacer import Pacer, PacerArgs, Setting

__all__ = ["ALL", "CATALOGUE", "Pacer", "Setting"]

_NO_PACERS = ("pacer",)
"""Modules of this package that hold no pacer."""


def _args_of(module: ModuleType) -> type[PacerArgs]:
    """Return the model of a pacer's arguments; TypeError if its module does not define exactly one."""
    models = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, PacerArgs) and value.__module__ == module.__name__
    ]
    if len(models) != 1:
        raise TypeError(f"{module.__name__} defines {len(models)} subclasses of PacerArgs; expected exactly one")
    return models[0]


def _pacers() -> tuple[Pacer, ...]:
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NO_PACERS]
    return tuple(
        Pacer(name=name, args=_args_of(importlib.import_module(f"{__name__}.{name}"))) for name in sorted(names)
    )


ALL: tuple[Pacer, ...] = _pacers()
"""Every pacer, by name."""

CATALOGUE: Mapping[str, Pacer] = {pacer.name: pacer for pacer in ALL}
"""The names that `arrivals` may hold."""
