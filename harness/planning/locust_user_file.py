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
    file_and_class = split(users, folder)
    if file_and_class is None:
        return []
    path, name = file_and_class
    where = ("traffic", "users")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        value = f"{path} ({(error.strerror or 'unreadable').lower()})"
        return [page.mistake(where, "users", value, "a readable file", f"Write {_HOW}.")]
    except SyntaxError as error:
        return [page.mistake(where, "users", f"{path}:{error.lineno or 1}: {error.msg}", "Python that can be parsed")]
    except ValueError as error:
        return [page.mistake(where, "users", f"{path}: {error}", "Python that can be parsed")]
    classes = _defined(tree)
    if name in classes:
        return []
    expected = f"a class that {path.name} defines: {', '.join(sorted(classes)) or 'it defines none'}"
    hint = did_you_mean(name, classes) or f"Write {_HOW}."
    return [page.mistake(where, "users", name or "no class", expected, hint)]


def _defined(tree: ast.Module) -> set[str]:
    """Return the names of the classes that a file defines at its top, those with a base."""
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases}
