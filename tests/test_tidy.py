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


def test_imports_follow_the_order_of_the_packages(sources):
    assert tidy.wrong_imports(sources) == []


def test_the_order_names_every_package():
    packages = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert packages == set(tidy.ORDER) - {"assertions"}


def test_modules_import_each_other_without_cycles(sources):
    assert tidy.cycles(sources) == []


def test_conditional_expressions_are_few_and_never_nested(sources):
    assert tidy.dense(sources) == []


def test_no_two_classes_have_one_name(sources):
    assert tidy.twins(source for source in sources if not source.place.startswith("stacks/")) == []


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
    reachable = tidy.reachable("harness.cli", sources)
    assert {"harness.cli.run", "harness.judging.judge"} <= reachable
    script = f"""
import importlib, sys
for name in {sorted(reachable)!r}:
    importlib.import_module("tocsin." + name)
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
        ("harness__core__clock", "import tocsin.harness.core.errors", True),
        ("harness__core__clock", "from tocsin.harness.declarations.scenario import Scenario", False),
        ("harness__declarations__scenario", "from tocsin.harness.declarations.stack import Stack", True),
        ("harness__evidence__logs", "from tocsin.harness.core.journal import Fact", True),
        ("harness__evidence__logs", "from tocsin.harness.provisioning.programs import find", False),
        ("harness__faults__kill", "from tocsin.harness.faults.bases.role import RoleFault", True),
        ("harness__faults__kill", "from tocsin.harness.traffic import canary", False),
        ("harness__faults__kill", "def f():\n    from tocsin.harness import engines", False),
        ("harness__engines__local__engine", "from tocsin.harness.faults import by_kind", True),
        ("harness__runner__play", "from tocsin.harness.faults.bases.role import RoleFault", True),
        ("harness__runner__play", "from tocsin.harness.faults import by_kind", False),
        ("harness__runner__play", "from tocsin.harness.faults.kill import Kill", False),
        ("harness__runner__play", "if TYPE_CHECKING:\n    from tocsin.harness.cli import main", False),
        ("harness__report__drill_figures", "from tocsin.harness.judging.check import Verdict", True),
        ("harness__runner__run_record", "from tocsin.harness.report import summary", False),
        ("harness__runner__run_record", "import tocsin\nfrom tocsin import __version__", True),
        ("harness__sidecars__pager", "from tocsin.harness.core.clock import RunClock", False),
        ("assertions__alerts_fire", "from tocsin.harness.evidence.alert_episodes import Alerts", True),
        ("assertions__alerts_fire", "from tocsin.harness.core.statistics import wilson", True),
        ("assertions__alerts_fire", "from tocsin.harness.core.clock import format_duration", False),
        ("scenarios__users__mine", "from tocsin.harness.traffic import payloads", True),
        ("scenarios__users__mine", "from tocsin.harness.judging.check import Check", False),
        ("stacks__reference__service__app", "import numpy", True),
        ("stacks__reference__service__app", "import tocsin.harness.core.clock", False),
        ("harness__cli__run", "import tocsin.assertions, tocsin.harness.engines.local.engine", True),
        ("harness__brand_new", "import json", False),
    ],
)
def test_import_table(tmp_path, place, text, allowed):
    assert (tidy.wrong_imports(tree(tmp_path, **{place: text})) == []) is allowed


PLAY = {"harness__runner__play": "import tocsin.harness.runner.ready"}


@pytest.mark.parametrize(
    ("ready", "found"),
    [
        ("import tocsin.harness.runner.settle", False),
        ("import tocsin.harness.runner.play", True),
        ("def f():\n    from tocsin.harness.runner import play", True),
        ("if TYPE_CHECKING:\n    import tocsin.harness.runner.play", True),
    ],
)
def test_cycles(tmp_path, ready, found):
    assert bool(tidy.cycles(tree(tmp_path, **PLAY, harness__runner__ready=ready))) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\n" * 99 + "y = a if b else c\n", 0),
        ("x = 1\n" * 49 + "y = a if b else c\n", 1),
        ("x = 1\n" * 199 + "y = a if b else c if d else e\n", 1),
        ("x = 1\n" * 199 + "y = [a if b else c for a in (d if e else f)]\n", 0),
    ],
)
def test_conditional_expressions(tmp_path, text, found):
    assert len(tidy.dense(tree(tmp_path, harness__a=text))) == found


@pytest.mark.parametrize(("name", "found"), [("Plan", 1), ("Drill", 0), ("_Plan", 0)])
def test_twins(tmp_path, name, found):
    sources = tree(tmp_path, harness__a="class Plan: ...\nclass _Plan: ...\n", harness__b=f"class {name}: ...\n")
    assert len(tidy.twins(sources)) == found


@pytest.mark.parametrize(
    ("place", "text", "allowed"),
    [
        ("harness__traffic__locust__traffic_process", "import gevent", True),
        ("scenarios__users__mine", "from locust import HttpUser", True),
        ("harness__traffic__load_processes", "def f():\n    import locust", False),
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
        ("harness__runner__run_record", "print(1)", False),
        ("harness__runner__run_record", "import sys\nsys.exit(1)", False),
        ("harness__runner__run_record", "raise SystemExit", False),
        ("harness__runner__run_record", "import sys\nsys.stdout.write('x')", False),
        ("harness__runner__run_record", "'print(1)'", True),
        ("harness__cli__run", "print(1)", True),
        ("harness__traffic__canary", "print(1)", True),
        ("harness__traffic__locust____main__", "print(1)", True),
        ("stacks__reference__service__train", "print(1)", True),
        ("harness__sidecars__pager", "if __name__ == '__main__':\n    raise SystemExit(main())", True),
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
