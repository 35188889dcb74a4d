"""A scenario's `users: FILE.py:CLASS`: found and read as text, never imported. The traffic process alone runs it."""

from __future__ import annotations

import ast
from pathlib import Path

from tocsin.harness.core.errors import Mistake
from tocsin.harness.planning.diagnostics import Page, did_you_mean

_MARK = ".py:"
_HOW = "`users: users/buyer.py:Buyer`, a file beside the scenario and a Locust User class in it"


def split(users: str, folder: Path) -> tuple[Path, str] | None:
    """Return the file (absolute; relative ones count from `folder`) and the class; None if `users` names no file."""
    if _MARK not in users:
        return None
    stem, _, name = users.rpartition(_MARK)
    return (folder / f"{stem}.py").resolve(), name


def mistakes(page: Page, users: str, folder: Path) -> list[Mistake]:
    """Return what is wrong with a file of users: it is not there, is not Python, or does not define the class."""
    found = split(users, folder)
    where = ("traffic", "users")
    if found is None:
        return []
    path, name = found
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        said = f"{path} ({(error.strerror or 'unreadable').lower()})"
        return [page.mistake(where, "users", said, "a readable file", f"Write {_HOW}.")]
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        said = f"{path}{f':{line}' if line else ''}: {getattr(error, 'msg', error)}"
        return [page.mistake(where, "users", said, "Python that can be parsed")]
    names = _defined(tree)
    if name in names:
        return []
    expected = f"a class that {path.name} defines: {', '.join(sorted(names)) or 'it defines none'}"
    return [page.mistake(where, "users", name or "no class", expected, did_you_mean(name, names) or f"Write {_HOW}.")]


def _defined(tree: ast.Module) -> set[str]:
    """Return the names of classes at the top of a file, defined or imported."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            names.add(node.name)
    return names
