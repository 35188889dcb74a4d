"""The rules of the house that a program can check: who imports whom, sizes, docstrings, who prints, forbidden words."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import tidy

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("harness", "assertions", "scenarios", "stacks")


@pytest.fixture(scope="module")
def sources():
    paths = (path for name in SOURCES for path in sorted((ROOT / name).rglob("*.py")) if ".venv" not in path.parts)
    return [tidy.read(path, ROOT) for path in paths]


def test_imports_follow_the_table(sources):
    assert tidy.wrong_imports(sources) == []


def test_packages_import_each_other_without_cycles(sources):
    assert tidy.cycles(sources) == []


def test_only_the_traffic_process_imports_locust_or_gevent(sources):
    assert tidy.greedy_imports(sources) == []


def test_files_and_functions_are_small(sources):
    assert tidy.too_large(sources) == []


def test_every_public_name_has_a_docstring(sources):
    assert tidy.undocumented(sources) == []


def test_only_the_command_line_prints_and_exits(sources):
    assert tidy.outspoken(sources) == []


def test_no_file_speaks_of_this_machine_or_of_registries():
    assert tidy.indiscreet(ROOT) == []


def test_whatever_a_verb_imports_neither_locust_nor_gevent_is_loaded(sources):
    reachable = tidy.reachable("tocsin.harness.cli", sources)
    assert {"tocsin.harness.cli.run", "tocsin.harness.judging.judge"} <= reachable
    script = f"""
import importlib, sys
for name in {sorted(reachable)!r}:
    importlib.import_module(name)
print(*sorted({{"locust", "gevent"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_help_loads_nothing_heavy():
    script = "import sys, tocsin.harness.cli.verbs as v; v.command(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"numpy", "pydantic", "elasticsearch", "rich.console", "ruamel", "psutil", "requests"}
    assert heavy & set(done.stdout.split()) == set()


# The checks themselves must be able to fail: each on the smallest tree that breaks its rule.


def tree(tmp_path, **files):
    made = []
    for name, text in files.items():
        path = tmp_path / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        made.append(tidy.read(path, tmp_path))
    return made


@pytest.mark.parametrize(
    ("place", "text", "allowed"),
    [
        ("harness__clock", "import tocsin.harness.core.errors", True),
        ("harness__clock", "from tocsin.harness.declarations.scenario import Scenario", False),
        ("harness__scenario", "from tocsin.harness.declarations.stack import Stack", True),
        ("harness__evidence__logs", "from tocsin.harness.core.journal import Fact", True),
        ("harness__evidence__logs", "from tocsin.harness.provisioning.programs import find", False),
        ("harness__faults__kill", "from tocsin.harness.faults.bases.fault import Fault", True),
        ("harness__faults__kill", "from tocsin.harness.traffic import canary", False),
        ("harness__faults__kill", "def f():\n    from harness import engines", False),
        ("harness__engines__local", "from tocsin.harness.faults import ALL", True),
        ("harness__play", "from tocsin.harness.faults.bases.fault import Fault", True),
        ("harness__play", "from tocsin.harness.faults import ALL", False),
        ("harness__play", "from tocsin.harness.faults.kill import Kill", False),
        ("harness__report__text", "from tocsin.harness.judging.check import Verdict", True),
        ("harness__report__text", "from tocsin.harness.declarations.stack import Stack", False),
        ("harness__store", "from tocsin.harness.cli import main", False),
        ("harness__store", "import harness\nfrom harness import __version__", True),
        ("assertions__alerts_fire", "from tocsin.harness.evidence.alerts import Alerts", True),
        ("assertions__alerts_fire", "from tocsin.harness.core.clock import format_duration", False),
        ("scenarios__users__mine", "from tocsin.harness.traffic import payloads", True),
        ("scenarios__users__mine", "from tocsin.harness.judging.check import Check", False),
        ("stacks__reference__service__app", "import numpy", True),
        ("stacks__reference__service__app", "import tocsin.harness.core.clock", False),
        ("harness__cli__run", "import assertions, tocsin.harness.engines.local.engine", True),
        ("harness__brand_new", "import json", False),
    ],
)
def test_import_table(tmp_path, place, text, allowed):
    assert (tidy.wrong_imports(tree(tmp_path, **{place: text})) == []) is allowed


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (
            {
                "harness__play": "import tocsin.harness.runner.ready",
                "harness__ready": "import tocsin.harness.runner.settle",
            },
            False,
        ),
        (
            {
                "harness__play": "import tocsin.harness.runner.ready",
                "harness__ready": "import tocsin.harness.runner.play",
            },
            True,
        ),
        (
            {
                "harness__play": "def f():\n    import tocsin.harness.runner.ready",
                "harness__ready": "import tocsin.harness.runner.play",
            },
            True,
        ),
        (
            {
                "harness__play": "if TYPE_CHECKING:\n    import tocsin.harness.runner.ready",
                "harness__ready": "import tocsin.harness.runner.play",
            },
            False,
        ),
    ],
)
def test_cycles(tmp_path, texts, found):
    assert bool(tidy.cycles(tree(tmp_path, **texts))) is found


@pytest.mark.parametrize(
    ("place", "text", "allowed"),
    [
        ("harness__traffic__locust__process", "import gevent", True),
        ("scenarios__users__mine", "from locust import HttpUser", True),
        ("harness__traffic__control", "def f():\n    import locust", False),
        ("harness__cli__run", "from gevent.pool import Group", False),
    ],
)
def test_greedy_imports(tmp_path, place, text, allowed):
    assert (tidy.greedy_imports(tree(tmp_path, **{place: text})) == []) is allowed


def test_sizes(tmp_path):
    short = "def f():\n    return 1\n"
    assert tidy.too_large(tree(tmp_path, harness__a=short)) == []
    assert "251 lines" in tidy.too_large(tree(tmp_path, harness__a="x = 1\n" * 251))[0]
    long = "def f():\n" + "    x = 1\n" * 70
    assert "71 lines" in tidy.too_large(tree(tmp_path, harness__a=long + short * 20))[0]
    middling = "def f():\n" + "    x = 1\n" * 31
    assert "90th percentile" in tidy.too_large(tree(tmp_path, harness__a=middling * 2 + short * 5))[0]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('"""Doc."""\n', 0),
        ("", 0),
        ("x = 1\n", 1),
        ('"""Doc."""\ndef f(): pass\n', 1),
        ('"""Doc."""\ndef _f(): pass\n', 0),
        ('"""Doc."""\nclass A:\n    def f(self): pass\n', 2),
        ('"""Doc."""\nclass _A:\n    def f(self): pass\n', 0),
        ('"""Doc."""\nclass A:\n    """Doc."""\n    def __init__(self): pass\n', 0),
        ('"""Doc."""\nclass A(Protocol):\n    """Doc."""\n    def f(self): ...\n', 0),
        ('"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...\n', 1),
    ],
)
def test_docstrings(tmp_path, text, missing):
    assert len(tidy.undocumented(tree(tmp_path, harness__a=text))) == missing


@pytest.mark.parametrize(
    ("place", "text", "allowed"),
    [
        ("harness__store", "print(1)", False),
        ("harness__store", "import sys\nsys.exit(1)", False),
        ("harness__store", "raise SystemExit", False),
        ("harness__store", "import sys\nsys.stdout.write('x')", False),
        ("harness__store", "'print(1)'", True),
        ("harness__cli__run", "print(1)", True),
        ("harness__traffic__canary", "print(1)", True),
        ("harness__traffic__locust____main__", "print(1)", True),
        ("stacks__reference__service__train", "print(1)", True),
        ("harness__pager", "if __name__ == '__main__':\n    raise SystemExit(main())", True),
    ],
)
def test_printing(tmp_path, place, text, allowed):
    place = place.replace("____main__", "__@").replace("__", "/").replace("@", "__main__")
    path = tmp_path / f"{place}.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert (tidy.outspoken([tidy.read(path, tmp_path)]) == []) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("the work folder, {work}/pager", True),
        ("cd /" + "home/somebody/main", False),
        ("pip install https://host.example/" + "simple", False),
        ("see issue" + " 17", False),
        ("see issue" + " #17", False),
    ],
)
def test_words(tmp_path, text, allowed):
    (tmp_path / "README.md").write_text(text)
    assert (tidy.indiscreet(tmp_path) == []) is allowed
