"""What test_tidy.py asks: each function returns the sentences that tell what breaks a rule, none when all is well."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE, LARGEST_FUNCTION, LARGEST_P90 = 250, 70, 30

BASE = {"errors", "clock", "statistics"}
VALUES = {
    "alerting",
    "frozen",
    "guardrails",
    "shape",
    "signals",
    "starts",
    "scenario",
    "stack",
    "evidence",
    "check",
    "journal",
}
READING = {
    "loader",
    "draft",
    "drawing",
    "placing",
    "mistakes",
    "resolve",
    "rules",
    "dashboards",
    "timeline",
    "programs",
    "recipes",
    "sighting",
    "user_file",
    "provision",
    "unpack",
    "maven",
}
DOING = {"faults", "traffic", "collectors", "pager", "proxy"}
STAGES = {
    "engines",
    "ready",
    "play",
    "settle",
    "collect",
    "store",
    "judge",
    "suite",
    "verdicts",
    "stages",
    "senders",
    "abort",
    "ending",
}
ABOVE_DOING = BASE | VALUES | READING
MAY_IMPORT: dict[str, set[str]] = {
    **{name: BASE for name in BASE},
    **{name: BASE | VALUES for name in VALUES},
    **{name: ABOVE_DOING for name in READING},
    **{name: ABOVE_DOING | {name} for name in DOING},
    **{name: ABOVE_DOING | DOING | STAGES for name in STAGES},
    "report": {"evidence", "check", "scenario", "statistics", "clock", "errors", "report"},
    "assertions": {"evidence", "check", "statistics", "assertions"},
    "scenarios": {"traffic", "scenarios"},
    "stacks": {"stacks"},
}
COMPOSES = {"cli", "catalogue"}
"""May import everything: the composition root, and the catalogue that gathers every `ALL`."""
PROCESSES = (
    "harness/cli/",
    "harness/traffic/locust/",
    "harness/traffic/canary.py",
    "harness/engines/guardian/__main__.py",
    "harness/engines/guardian/undo.py",
    "harness/sidecars/pager.py",
    "harness/proxy/__main__.py",
    "harness/sidecars/proxy/ask_once.py",
    "stacks/",
)
"""What prints and exits: the command line, and programs that run as processes of their own."""


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
    """Return the row of the table: `tocsin.harness.faults.kill` -> faults; harness itself -> empty."""
    parts = module.split(".")
    return parts[0] if parts[0] != "harness" else (parts[1] if len(parts) > 1 else "")


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
    for line, name in imported(source, types_too=types_too):
        own = name.split(".")[0] in ("harness", "assertions", "scenarios", "stacks")
        if own and name not in ("harness", "tocsin.harness.__version__"):
            yield line, name


def wrong_imports(sources: Iterable[Source]) -> list[str]:
    found = []
    for source in sources:
        if source.group in COMPOSES | {""}:
            continue
        allowed = MAY_IMPORT.get(source.group)
        if allowed is None:
            found.append(f"{source.place}: `{source.group}` stands in no row of the import table")
            continue
        for line, name in _ours(source):
            if group(name) not in allowed or _past_the_base(source, name):
                found.append(f"{source.place}:{line}: {source.group} may not import {name}")
    return found


def _past_the_base(source: Source, name: str) -> bool:
    return (
        source.group in ("play", "settle", "ready")
        and group(name) == "faults"
        and not name.startswith("tocsin.harness.faults.bases.fault")
    )


def cycles(sources: Iterable[Source]) -> list[str]:
    """Return each pair of packages or modules that reach each other, imports for types alone left out."""
    direct: dict[str, set[str]] = {}
    for source in sources:
        targets = {group(name) for _, name in _ours(source, types_too=False)}
        direct.setdefault(source.group, set()).update(targets - {source.group, ""})
    reach = {name: _closure(name, lambda one: direct.get(one, set())) for name in direct}
    return sorted(
        f"{a} and {b} import each other" for a in reach for b in reach[a] if a < b and a in reach.get(b, set())
    )


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
        if name not in by_name:
            return set()
        targets = {target for _, target in _ours(by_name[name], types_too=False)}
        named = {t if t in by_name else t.rpartition(".")[0] for t in targets}
        return {name for name in named if name in by_name}

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
