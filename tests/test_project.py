from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import fake

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, str]:
    """Name -> its block of the lock: the pin, then the hashes."""
    blocks = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", LOCK))
    return {normal(re.match(r"[\w.-]+", block).group(0)): block for block in blocks if block.strip()}  # type: ignore[union-attr]


def test_the_lock_names_no_place() -> None:
    assert "://" not in LOCK and "--index-url" not in LOCK and "--find-links" not in LOCK


@pytest.mark.parametrize("name", sorted(requirements()))
def test_every_requirement_is_pinned_by_version_and_hash(name: str) -> None:
    block = requirements()[name]
    assert re.match(r"[\w.-]+==\S+", block) and "--hash=sha256:" in block


@pytest.mark.parametrize(
    "line", [line for line in (ROOT / "requirements.in").read_text().splitlines() if line and line[0] != "#"]
)
def test_what_is_asked_for_is_locked(line: str) -> None:
    assert normal(re.match(r"[\w.-]+", line).group(0)) in requirements()  # type: ignore[union-attr]


@pytest.mark.parametrize("heavy", ["pandas", "scipy", "cupy"])
def test_what_a_newcomer_need_not_wait_for(heavy: str) -> None:
    assert heavy not in requirements()


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["make", "--no-print-directory", *arguments]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The Makefile beside a virtual environment whose programs only note what they were asked."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for name in ("pip", "tocsin", "pytest", "ruff", "mypy"):
        fake(tmp_path / ".venv/bin" / name, "").write_text(f'#!/bin/sh\necho {name} "$@"\n')
    python = fake(tmp_path / "python", "")
    python.write_text('#!/bin/sh\ncase $2 in venv) echo python "$@";; esac\n')
    return tmp_path


def test_the_first_run_makes_all_and_the_second_nothing(tree: Path) -> None:
    python = f"PYTHON={tree}/python"
    first = make(tree, python, "run")
    assert first.returncode == 0, first.stderr
    assert [line.split()[0] for line in first.stdout.splitlines()] == [
        "Making",
        "python",
        "pip",
        "pip",
        "tocsin",
        "tocsin",
    ]
    assert make(tree, python, "run").stdout == "tocsin run scenarios/tour.yaml --speed 30\n"
    assert make(tree, python, "drills").stdout == "tocsin run scenarios/ --speed 30\n"


def test_make_says_which_python_it_wants(tree: Path) -> None:
    old = fake(tree / "old-python", "", status=1)
    done = make(tree, "setup", f"PYTHON={old}")
    assert done.returncode == 2 and "is not Python 3.11 or later" in done.stderr


def test_a_changed_lock_makes_the_environment_anew(tree: Path) -> None:
    python = f"PYTHON={tree}/python"
    make(tree, python, "setup")
    assert make(tree, python, "unit").stdout == "pytest -q -n 2 -m not e2e and not soak\n"
    later = (tree / ".venv/.provided").stat().st_mtime + 10
    os.utime(tree / "requirements.lock", (later, later))
    assert "pip install" in make(tree, python, "unit").stdout


def test_tests_run_from_the_cheap_to_the_dear(tree: Path) -> None:
    make(tree, f"PYTHON={tree}/python", "setup")
    assert make(tree, "test").stdout.splitlines() == [
        "pytest -q -n 2 -m not e2e and not soak",
        "pytest -m e2e and not soak",
    ]


def test_clean_leaves_the_programs_and_says_where(tree: Path) -> None:
    (tree / "runs").mkdir()
    done = make(tree, "clean", f"TOCSIN_CACHE={tree}/programs")
    assert f"stay in {tree}/programs" in done.stdout
    assert not (tree / ".venv").exists() and not (tree / "runs").exists()


@pytest.mark.parametrize("script", [".ci/run", "tests/bare_debian.sh"])
def test_a_script_is_executable_and_parses(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(ROOT / script)]).returncode == 0


def test_the_bare_system_explains_itself() -> None:
    done = subprocess.run(["bash", str(ROOT / "tests/bare_debian.sh"), "/nowhere"], capture_output=True, text=True)
    assert done.returncode == 64 and "tests/bare_debian.sh FOLDER root|plain COMMAND" in done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this tree was installed."""
    source = tmp_path_factory.mktemp("source") / "tree"
    ignored = shutil.ignore_patterns(".venv", ".git", "runs", "build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignored)
    target = tmp_path_factory.mktemp("installed")
    argv = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    subprocess.run([*argv, "--no-build-isolation", "--target", str(target), str(source)], check=True)
    return target


def test_the_wheel_takes_one_name_at_the_top(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {"tocsin", "bin"}
    assert sorted(path.name for path in (installed / "tocsin").iterdir() if path.is_dir()) == [
        "assertions",
        "harness",
        "scenarios",
        "stacks",
    ]


def test_an_installed_wheel_finds_its_own_drills_and_stacks(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", "import tocsin.harness.cli as cli; raise SystemExit(cli.main())", "plan", "healthy"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "healthy" in done.stdout


def test_old_module_names_in_peoples_files_still_work(tmp_path: Path) -> None:
    from tocsin.harness.core.legacy_modules import provide_for, renewed

    assert renewed(["python", "-m", "harness.pager"]) == ("python", "-m", "tocsin.harness.sidecars.pager")
    (tmp_path / "harness").mkdir()
    before = set(sys.modules)
    provide_for(tmp_path / "users.py")
    assert "harness" not in set(sys.modules) - before
