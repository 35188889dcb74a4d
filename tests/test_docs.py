"""A heading per thing, commands that exist, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from tests import documents
from tocsin.assertions import SUITE

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = {".venv", ".git", ".pytest_cache", "runs", "build", "node_modules"}
PAGES = sorted(path for path in ROOT.rglob("*.md") if not HIDDEN & set(path.relative_to(ROOT).parts))


def things():
    """Return folder -> the names of the things that live in it."""
    from tocsin.harness.cli import engine_registry, verbs
    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.collectors import ALL as COLLECTORS

    known = catalogue()
    return {
        "assertions": sorted(known.checks),
        "harness/faults": sorted(known.faults),
        "harness/traffic/payloads": list(known.kinds),
        "harness/traffic/pacers": sorted(known.pacers),
        "harness/collectors": [collector.name for collector in COLLECTORS],
        "harness/engines": list(engine_registry.ENGINES),
        "harness/cli": list(verbs.command().commands),
        "harness": [path.name for path in packages(ROOT / "harness")],
        "scenarios": [path.stem for path in (ROOT / "scenarios").glob("*.yaml")],
        "stacks": [path.parent.name for path in (ROOT / "stacks").glob("*/stack.yaml")],
    } | {f"harness/{name}": [path.name for path in modules(ROOT / "harness" / name)] for name in BY_MODULE}


README_WORDS = 1200
BY_MODULE = (
    "core",
    "declarations",
    "evidence",
    "judging",
    "monitoring",
    "monitoring/promql",
    "planning",
    "provisioning",
    "report",
    "runner",
)
"""Packages whose README has a heading per module."""


def modules(folder):
    return [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]


def packages(folder):
    return [path.parent for path in sorted(folder.glob("*/__init__.py"))]


FOLDERS = ("assertions", "harness", "scenarios", "stacks")
LISTED = ("cli", "collectors", "engines", "faults", "traffic/pacers", "traffic/payloads", *BY_MODULE)


@pytest.mark.parametrize("folder", [*FOLDERS, *(f"harness/{name}" for name in LISTED)])
def test_every_thing_has_a_heading_in_the_readme_of_its_folder(folder):
    names = things()[folder]
    assert names
    assert documents.without_heading(ROOT / folder / "README.md", names) == []


def test_counts_in_the_readme_are_right_and_it_is_short():
    from tocsin.harness.cli.load_catalogue import catalogue

    known = catalogue()
    counts = {
        "faults": len(known.faults),
        "checks": len(known.checks) + len(SUITE),
        "drills": len([path for path in (ROOT / "scenarios").glob("*.yaml") if path.name != "suite.yaml"]),
    }
    assert documents.wrong_counts(ROOT / "README.md", counts) == []
    assert len((ROOT / "README.md").read_text().split()) <= README_WORDS


def test_every_folder_of_code_has_a_readme():
    folders = [ROOT / name for name in ("harness", "scenarios", "assertions", "stacks", "tests", "docs")]
    folders += packages(ROOT / "harness") + [path.parent for path in (ROOT / "stacks").glob("*/stack.yaml")]
    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "README.md").is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist_and_links_lead_somewhere(page):
    from tocsin.harness.cli import verbs

    known = {
        name: {option for parameter in verb.params for option in parameter.opts}
        for name, verb in verbs.command().commands.items()
    }
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert documents.wrong_commands(page, known, targets) + documents.broken_links(page) == []


def test_the_command_line_readme_names_every_option():
    from tocsin.harness.cli import verbs

    text = (ROOT / "harness/cli/README.md").read_text()
    options = {
        option for verb in verbs.command().commands.values() for parameter in verb.params for option in parameter.opts
    }
    assert [option for option in sorted(options) if option.startswith("--") and f"`{option}" not in text] == []


# The checks themselves must be able to fail.

README = """# Faults

## `kill`

```
# a comment, no heading: pause
$ .venv/bin/tocsin run tour --speed 30     # plays
make run
```

    tocsin plan [--seed N]

Then `tocsin judge DIR
--json`, or `make drills`; see [kill](#kill) and [away](https://example.com/x).
"""


@pytest.fixture
def readme(tmp_path):
    def write(text):
        path = tmp_path / "README.md"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(("things", "missing"), [(["kill"], 0), (["kill", "pause"], 1), (["kil"], 1)])
def test_headings(readme, things, missing):
    assert len(documents.without_heading(readme(README), things)) == missing


def test_a_missing_readme_is_found(tmp_path):
    assert documents.without_heading(tmp_path / "README.md", ["kill"]) == [f"{tmp_path / 'README.md'}: missing"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("", ""), None),
        (("run tour", "rnu tour"), "`tocsin rnu` is no verb"),
        (("--speed", "--sped"), "`tocsin run --sped` is no option"),
        (("--json", "--yaml"), "`tocsin judge --yaml` is no option"),
        (("[--seed", "[--sede"), "`tocsin plan --sede` is no option"),
        (("make run", "make walk"), "`make walk` is no target"),
        (("make drills", "make drill"), "`make drill` is no target"),
    ],
)
def test_commands(readme, change, problem):
    path = readme(README.replace(*change))
    found = documents.wrong_commands(
        path, {"run": {"--speed"}, "judge": {"--json"}, "plan": {"--seed"}}, {"run", "drills"}
    )
    assert found == ([f"{path}: {problem}"] if problem else [])


@pytest.mark.parametrize(
    ("link", "problems"), [("#kill", 0), ("#pause", 1), ("README.md#kill", 0), ("other.md", 1), ("README.md", 0)]
)
def test_links(readme, link, problems):
    assert len(documents.broken_links(readme(README.replace("#kill", link)))) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("It knows 2 faults.", 0),
        ("It knows 3 faults.", 1),
        ("It knows 2 [faults](x).", 0),
        ("3 [faults](x) and 2 drills", 1),
        ("played with 3 faults at once", 1),
        ("No number of faults here.", 0),
    ],
)
def test_counts(readme, text, problems):
    assert len(documents.wrong_counts(readme(text), {"faults": 2, "drills": 2})) == problems
