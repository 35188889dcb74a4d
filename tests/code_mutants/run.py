"""Mutation testing: changes the code of the checks, or of the evidence readers, and counts the changes no test notices.

    make mutants-unit                              the checks, then the readers of evidence
    python -m tests.code_mutants.run evidence      one of both; `evidence/firings`, `assertions/alerts_*`: some modules

The mutants are mutmut's (comparisons, operators, numbers, arguments that are left out, ...) without those of strings:
texts of messages are no part of the score. mutmut's own runner starts pytest anew for each mutant, which takes hours;
here tests are collected and run once, and each mutant is a fork that repeats the tests which reach it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation import file_mutation, mutators, pragma_handling, trampoline

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"assertions": "tocsin.assertions", "evidence": "tocsin.harness.evidence"}
TESTS = {"assertions": ["tests/assertions", "tests/judging/test_judge.py"]}
TESTS["evidence"] = ["tests/evidence", *TESTS["assertions"]]
LEAST = {"assertions": 85, "evidence": 0}
"""What is mutated -> the smallest share of mutants, in percent, that tests must notice."""
LONGEST_S = 20
"""Processor seconds after which a mutant counts as noticed: it does not end."""
_ACTIVE = "MUTANT_UNDER_TEST"


class Mutants(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the modules of a package with all their mutants inside; the one that a variable names is active."""

    def __init__(self, package: str, modules: str) -> None:
        self.package, self.modules = package, modules
        self.names: list[str] = []
        mutators.mutation_operators[:] = [
            one for one in mutators.mutation_operators if one[1] is not mutators.operator_string
        ]
        pragma_handling.get_lines_ignored_by_pattern = lambda source: set()

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return where a module of the package is loaded from."""
        package, _, module = fullname.rpartition(".")
        if package != self.package or not fnmatchcase(module, self.modules):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        return spec and importlib.util.spec_from_file_location(fullname, spec.origin, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code with its mutants."""
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        mutated = file_mutation.mutate_file_contents(str(module.__file__), source)
        self.names += [f"{module.__name__}.{name}" for name in mutated.mutant_names]
        exec(compile(mutated.code, str(module.__file__), "exec"), module.__dict__)


class Runner:
    """Runs the tests once, then those that reach a function again for each mutant of it."""

    def __init__(self, mutants: Mutants, fresh: bool) -> None:
        self.mutants = mutants
        self.unnoticed: list[str] = []
        self._reached: set[str] = set()
        self._folders: dict[str, Path] = {}
        self._built: dict[tuple[str, int], Any] = {}
        self._calls: Counter[str] = Counter()
        self._arguments: dict[str, dict[str, Any]] = {}
        trampoline.record_trampoline_hit = lambda name, **more: self._reached.add(name)
        building: Any = importlib.import_module("tests.evidence.build")
        building.build = self._remembering(building.build, building.read_evidence, fresh)

    def _remembering(self, build: Callable[..., Any], read: Callable[[Path], Any], fresh: bool) -> Callable[..., Any]:
        """Return evidence as a test built it the first time; `fresh`: read again, for mutants of the readers."""

        def remembered(*args: Any, **more: Any) -> Any:
            test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
            self._calls[test] += 1
            key = (test, self._calls[test])
            if key not in self._built:
                self._built[key] = build(*args, **more)
            return read(self._built[key].folder) if fresh else self._built[key]

        return remembered

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Stand in for pytest's own loop."""
        reaching = self._run_once(session.items)
        gc.freeze()
        for number, name in enumerate(self.mutants.names):
            if number % 100 == 0:
                print(
                    f"{number} of {len(self.mutants.names)} mutants, {len(self.unnoticed)} unnoticed", file=sys.stderr
                )
            items = reaching[name.partition("__mutmut_")[0]]
            if not items or self._survives(name, items):
                self.unnoticed.append(name)
        return True

    def _run_once(self, items: Sequence[pytest.Item]) -> dict[str, list[pytest.Function]]:
        """Return function -> the tests that reach it, the quickest first; all of them pass without a mutant."""
        reaching: dict[str, list[pytest.Function]] = defaultdict(list)
        took_s: dict[str, float] = {}
        os.environ[_ACTIVE] = "stats"
        for item in items:
            assert isinstance(item, pytest.Function)
            self._reached.clear()
            reports = runtestprotocol(item, log=False, nextitem=None)
            if any(report.failed for report in reports):
                sys.exit(f"{item.nodeid} fails without a mutant.")
            start = time.process_time()
            try:
                self._repeat(item)
            except Exception:  # it changes its own folder: it is not asked again
                continue
            took_s[item.nodeid] = time.process_time() - start
            for name in self._reached:
                reaching[name].append(item)
        for of_function in reaching.values():
            of_function.sort(key=lambda item: took_s[item.nodeid])
        return reaching

    def _survives(self, name: str, items: Sequence[pytest.Function]) -> bool:
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] == 0
        try:
            os.environ[_ACTIVE] = name
            signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
            for item in items:
                self._repeat(item)
        except BaseException:
            os._exit(1)
        os._exit(0)

    def _repeat(self, item: pytest.Function) -> None:
        """Call a test as it was called the first time."""
        os.environ["PYTEST_CURRENT_TEST"] = f"{item.nodeid} (call)"
        self._calls.clear()
        item.obj(**self._arguments[item.nodeid])

    def pytest_runtest_call(self, item: pytest.Function) -> None:
        """Keep what a test is called with."""
        self._calls.clear()
        self._arguments[item.nodeid] = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}

    @pytest.fixture
    def tmp_path(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """Give each test the same folder every time, with what it wrote there the first time."""
        name = request.node.nodeid
        if name not in self._folders:
            self._folders[name] = tmp_path_factory.mktemp("mutants")
        yield self._folders[name]


def main(place: str) -> int:
    """Mutate, print a table, and return 1 if too few mutants were noticed."""
    part, _, modules = place.partition("/")
    mutants = Mutants(PACKAGES[part], modules or "*")
    sys.meta_path.insert(0, mutants)
    runner = Runner(mutants, fresh=part == "evidence")
    arguments = ["-q", "-p", "no:cacheprovider", *TESTS[part]]
    code = pytest.main(arguments, plugins=[runner])
    every = Counter(name.rpartition(".")[0] for name in mutants.names)
    unnoticed = Counter(name.rpartition(".")[0] for name in runner.unnoticed)
    for module in sorted(every):
        print(_row(module.rpartition(".")[2], every[module] - unnoticed[module], every[module]))
    noticed = every.total() - unnoticed.total()
    print(_row(part, noticed, every.total()), *runner.unnoticed, sep="\n")
    return int(code) or int(100 * noticed < LEAST[part] * every.total())


def _row(name: str, noticed: int, every: int) -> str:
    return f"{name:<26}{noticed:>6} of {every:>5} mutants noticed, {100 * noticed / max(every, 1):.0f} %"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
