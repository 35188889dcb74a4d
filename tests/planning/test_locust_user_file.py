"""A file of users is read as text: found beside the scenario, and every mistake in it is named."""

from pathlib import Path

import pytest

from tests.small_stack import CATALOGUE, write_scenario
from tocsin.harness.core.errors import UsageError
from tocsin.harness.planning import locust_user_file
from tocsin.harness.planning.loader import load

GOOD = "from locust import HttpUser, task\n\nclass Buyer(HttpUser):\n    @task\n    def buy(self): ...\n"


def loaded(folder: Path, users: str) -> Path:
    traffic = ("timeline:", f"traffic: {{users: {users}}}\ntimeline:")
    scenario, _ = load(write_scenario(folder, traffic), CATALOGUE)
    found = locust_user_file.split(scenario.traffic.users, scenario.folder)
    assert found
    return found[0]


def test_a_path_counts_from_the_scenario_or_is_absolute(tmp_path: Path) -> None:
    (tmp_path / "users").mkdir()
    mine = tmp_path / "users" / "mine.py"
    mine.write_text("raise SystemExit('never imported')\n" + GOOD)
    assert loaded(tmp_path, "users/mine.py:Buyer") == mine
    assert loaded(tmp_path, f"'{mine}:Buyer'") == mine


def test_names_of_ours_are_no_files() -> None:
    assert locust_user_file.split("predict", Path("/x")) is None


@pytest.mark.parametrize(
    ("users", "text", "value", "expected", "hint"),
    [
        ("gone.py:Buyer", GOOD, "gone.py (no such file", "a readable file", "users/buyer.py:Buyer"),
        ("mine.py:Byer", GOOD, "Byer", "mine.py defines: Buyer", "Did you mean `Buyer`?"),
        ("'mine.py:'", GOOD, "no class", "mine.py defines: Buyer", "users/buyer.py:Buyer"),
        ("mine.py:buy", GOOD, "buy", "mine.py defines: Buyer", ""),
        ("mine.py:Buyer", "class Buyer: ...\n", "Buyer", "it defines none", ""),
        ("mine.py:Buyer", "class Buyer(:\n", "mine.py:1: invalid syntax", "Python that can be parsed", ""),
        ("mine.py:Buyer", "x = 1\0", "mine.py", "Python that can be parsed", ""),
        ("mine.txt:Buyer", GOOD, "mine.txt:Buyer", "a known user", "`tocsin ls users` lists all"),
    ],
)
def test_mistakes(tmp_path: Path, users: str, text: str, value: str, expected: str, hint: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UsageError) as raised:
        loaded(tmp_path, users)
    (mistake,) = raised.value.mistakes
    assert (mistake.line, mistake.where) == (5, "users")
    assert value in mistake.value and expected in mistake.expected and hint in mistake.hint


def test_our_own_example_is_read() -> None:
    root = Path(__file__).resolve().parents[2] / "scenarios"
    found = locust_user_file.split("users/callers.py:Caller", root)
    assert found == (root / "users" / "callers.py", "Caller")
