"""When to send: each pacer turns a rate and a length into the load that is asked for.

Pacers are found by their files, and a pacer's name is its file's name. To add one: its file, rows in its test, its
README heading.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from tocsin.harness.traffic.pacers.pacer import Pacer, PacerArgs, Setting

__all__ = ["ALL", "CATALOGUE", "Pacer", "Setting"]


def _pacer(name: str) -> Pacer:
    """Return the pacer of a file; TypeError if it does not define exactly one subclass of PacerArgs."""
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, PacerArgs)]
    own = [value for value in classes if value.__module__ == module.__name__]
    if len(own) != 1:
        raise TypeError(f"{module.__name__} defines {len(own)} subclasses of PacerArgs; expected exactly one")
    return Pacer(name=name, args=own[0])


ALL = tuple(_pacer(module.name) for module in pkgutil.iter_modules(__path__) if module.name != "pacer")
"""Every pacer, by name."""

CATALOGUE: Mapping[str, Pacer] = {pacer.name: pacer for pacer in ALL}
"""The names that `arrivals` may hold."""
