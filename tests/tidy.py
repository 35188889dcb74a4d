"""What test_tidy.py asks: each function returns the sentences that tell what breaks a rule, none when all is well."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE, LARGEST_FUNCTION, LARGEST_P90 = 250, 70, 30

ORDER = (
    "core",
    "declarations",
    "monitoring",
    "evidence",
    "provisioning",
    "planning",
    "sidecars",
    "faults",
    "traffic",
    "collectors",
    "engines",
    "runner",
    "judging",
    "assertions",
    "report",
    "cli",
)
"""The packages of `harness` and the checks, in order: each may import those before it, and its own modules."""
NARROW = {
    "assertions": {"evidence", "judging", "declarations", "core.statistics", "assertions"},
    "scenarios": {"traffic", "scenarios"},
    "stacks": {"stacks"},
    "sidecars": {"sidecars"},
}
"""Packages that may import less than the order allows: checks know the evidence alone, sidecars run in containers."""
FAULT_CONTRACT = ("runner",)
"""Packages that play faults and know none: they may import `harness.faults` only for its bases."""
PROCESSES = (
    "harness/cli/",
    "harness/traffic/locust/",
    "harness/traffic/canary.py",
    "harness/traffic/stdout_events.py",
    "harness/engines/guardian/guardian.py",
    "harness/engines/guardian/undo.py",
    "harness/sidecars/",
    "stacks/",
)
"""What prints and exits: the command line, and programs that run as processes of their own."""
MOST_CONDITIONALS = 12
"""Conditional expressions per thousand lines. Locust has 4.8, stamina 2.6."""


@dataclass(frozen=True)
class Source:
    """A Python file: where it is below the root, its text and its syntax tree."""

    place: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        return self.place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def group(self) -> str:
        return group(self.module)


def read(path: Path, root: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(str(path.relative_to(root)), text, ast.parse(text))


def group(module: str) -> str:
    """Return the row of the order: `harness.faults.kill` -> faults; harness itself -> empty."""
    parts = module.removeprefix("tocsin.").split(".")
    if parts[0] != "harness":
        return parts[0]
    return parts[1] if len(parts) > 1 else ""


def imported(source: Source, *, types_too: bool = True) -> Iterator[tuple[int, str]]:
    """Yield (line, module or module.name) of every import, those inside functions included."""
    for node in _nodes(source.tree, types_too):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _nodes(node: ast.AST, types_too: bool) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and not types_too and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child, types_too)


def _ours(source: Source, *, types_too: bool = True) -> Iterator[tuple[int, str]]:
    """Yield (line, module or module.name below `tocsin`) of every import of our own."""
    for line, name in imported(source, types_too=types_too):
        if name.startswith(("tocsin.harness.", "tocsin.assertions", "tocsin.scenarios", "tocsin.stacks")):
            yield line, name.removeprefix("tocsin.")


def wrong_imports(sources: Iterable[Source]) -> list[str]:
    """Return the imports that the order of the packages forbids."""
    found = []
    for source in sources:
        if source.group not in (*ORDER, *NARROW, ""):
            found.append(f"{source.place}: `{source.group}` stands nowhere in the order of the packages")
            continue
        for line, name in _ours(source):
            if not _allowed(source.group, name):
                found.append(f"{source.place}:{line}: {source.group} may not import {name}")
    return found


def _allowed(importer: str, name: str) -> bool:
    if importer in NARROW:
        below_harness = name.removeprefix("harness.")
        return any(below_harness == one or below_harness.startswith(f"{one}.") for one in NARROW[importer])
    if importer in FAULT_CONTRACT and name.startswith("harness.faults") and not name.startswith("harness.faults.bases"):
        return False
    return group(name) in ORDER[: ORDER.index(importer) + 1] if importer else False


def cycles(sources: Iterable[Source]) -> list[str]:
    """Return each pair of modules that reach each other, imports for types alone included."""
    by_name = {source.module: source for source in sources}
    direct = {name: _imported_modules(source, by_name) - {name} for name, source in by_name.items()}
    reach = {name: _closure(name, lambda one: direct.get(one, set())) for name in direct}
    return sorted(
        f"{a} and {b} import each other" for a in reach for b in reach[a] if a < b and a in reach.get(b, set())
    )


def _imported_modules(source: Source, known: Mapping[str, Source], *, types_too: bool = True) -> set[str]:
    modules = set()
    for _, name in _ours(source, types_too=types_too):
        module = name if name in known else name.rpartition(".")[0]
        if module in known:
            modules.add(module)
    return modules


def _closure(start: str, step: Callable[[str], set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = set(step(start))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting |= step(name)
    return seen


def reachable(start: str, sources: Iterable[Source]) -> set[str]:
    """Return every module of ours that `start` and what is below it import, lazily or not."""
    by_name = {source.module: source for source in sources}

    def step(name: str) -> set[str]:
        return _imported_modules(by_name[name], by_name, types_too=False) if name in by_name else set()

    roots = {name for name in by_name if name == start or name.startswith(f"{start}.")}
    return roots.union(*(_closure(name, step) for name in roots))


def greedy_imports(sources: Iterable[Source]) -> list[str]:
    return [
        f"{source.place}:{line}: {name} patches sockets and costs 0.7 s; only the traffic process may import it"
        for source in sources
        if not source.place.startswith(("harness/traffic/locust/", "scenarios/users/"))
        for line, name in imported(source)
        if name.split(".")[0] in ("locust", "gevent")
    ]


def too_large(sources: Iterable[Source]) -> list[str]:
    found, sizes = [], []
    for source in sources:
        lines = source.text.count("\n")
        if lines > LARGEST_FILE:
            found.append(f"{source.place}: {lines} lines, at most {LARGEST_FILE}")
        for node in ast.walk(source.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes.append(size)
                if size > LARGEST_FUNCTION:
                    found.append(
                        f"{source.place}:{node.lineno}: {node.name} has {size} lines, at most {LARGEST_FUNCTION}"
                    )
    p90 = sorted(sizes)[int(len(sizes) * 0.9)] if sizes else 0
    if p90 > LARGEST_P90 and len(sizes) > 1:
        found.append(f"the 90th percentile of functions has {p90} lines, at most {LARGEST_P90}")
    return found


def dense(sources: Iterable[Source]) -> list[str]:
    """Return nested conditional expressions, and too many of them in all."""
    found, conditionals, lines = [], 0, 0
    for source in sources:
        lines += source.text.count("\n")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.IfExp):
                conditionals += 1
                inner = (below for child in ast.iter_child_nodes(node) for below in ast.walk(child))
                if any(isinstance(below, ast.IfExp) for below in inner):
                    found.append(f"{source.place}:{node.lineno}: a conditional expression inside another one")
    if conditionals * 1000 > MOST_CONDITIONALS * lines:
        found.append(f"{conditionals} conditional expressions in {lines} lines, at most {MOST_CONDITIONALS} in 1000")
    return found


def twins(sources: Iterable[Source]) -> list[str]:
    """Return each name that two public classes of ours have, with where they stand."""
    places: dict[str, list[str]] = {}
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(source.place)
    return [f"two classes are called {name}: {', '.join(here)}" for name, here in places.items() if len(here) > 1]


def undocumented(sources: Iterable[Source]) -> list[str]:
    found = []
    for source in sources:
        if source.text.strip() and not ast.get_docstring(source.tree):
            found.append(f"{source.place}: no docstring")
        found += [f"{source.place}:{line}: {name} has no docstring" for line, name in _silent(source.tree, "", False)]
    return found


def _silent(parent: ast.Module | ast.ClassDef, prefix: str, promised: bool) -> Iterator[tuple[int, str]]:
    for node in parent.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        stub = promised and not isinstance(node, ast.ClassDef) and ast.unparse(node.body[-1]) == "..."
        if not ast.get_docstring(node) and not stub:
            yield node.lineno, prefix + node.name
        if isinstance(node, ast.ClassDef):
            protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            yield from _silent(node, f"{prefix}{node.name}.", protocol)


_LOUD = {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}


def outspoken(sources: Iterable[Source]) -> list[str]:
    found = []
    for source in sources:
        if source.place.startswith(PROCESSES) or source.place.endswith("/__main__.py"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in _LOUD:
                found.append(f"{source.place}:{node.lineno}: only harness/cli may call {ast.unparse(node.func)}")
            elif isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).startswith("SystemExit"):
                found.append(f"{source.place}:{node.lineno}: only harness/cli may exit")
    return found


_INDISCREET = re.compile(
    r"--(?:extra-)?index-url[ =]|https?://\S*/(?:simple|maven2|artifactory)\b"  # a registry
    r"|(?<![\w}.])/(?:root|home/\w{2,}|Users/\w{2,})/"  # somebody's folder
    r"|\bissue #?\d",
    re.IGNORECASE,
)
_TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".in", ".lock", ".sh", ".json", ".conf", ".cfg", ""}


def indiscreet(root: Path) -> list[str]:
    """Return every line of a text file that names a machine path, a package registry or an issue by number."""
    found = []
    for path in _files(root):
        if path.suffix not in _TEXT or path.name == Path(__file__).name or path.stat().st_size > 1_000_000:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if hit := _INDISCREET.search(line):
                found.append(f"{path.relative_to(root)}:{number}: {hit.group(0)}")
    return found


def _files(root: Path) -> list[Path]:
    """Return what git tracks or would; without a repository, all files."""
    if (root / ".git").exists() and shutil.which("git"):
        argv = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
        return [root / name for name in names if name and (root / name).is_file()]
    hidden = {".venv", ".git", "runs", "build", "__pycache__"}
    return [path for path in root.rglob("*") if path.is_file() and not hidden & set(path.relative_to(root).parts)]
