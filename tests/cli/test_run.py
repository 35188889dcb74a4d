"""tocsin run: what it refuses before anything starts, what it says, and the code and files it leaves."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as Xml

import pytest

from tests.cli.faked import BLIND, FAILED, PASSED
from tests.faults.fake_live import fault_stack
from tests.small_stack import CATALOGUE, write_scenario
from tocsin.harness.cli import main
from tocsin.harness.cli.plan_drills import lacking
from tocsin.harness.core.errors import StackError, Terminated
from tocsin.harness.faults.kill import Kill

# `--runs` and the current folder are those of the test; see the fixture `fakes`.


@pytest.fixture
def scenario(tmp_path, fakes):
    return write_scenario(tmp_path)


@pytest.fixture
def suite(tmp_path, scenario):
    """A folder of two drills, one of which cannot be played here: its stack has no hook."""
    folder = tmp_path / "suite"
    folder.mkdir()
    text = scenario.read_text()
    (folder / "a_hooked.yaml").write_text(text.replace("name: sample", "name: hooked"))
    (folder / "b_plain.yaml").write_text(unhooked(text).replace("name: sample", "name: plain"))
    return folder


def unhooked(text):
    return text.replace("    faults: [{model_raises: {share: 0.3}, at: 2m, for: 5m, name: failing}]\n", "")


def playable(scenario):
    scenario.write_text(unhooked(scenario.read_text()))
    return str(scenario)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"verdicts": (PASSED, FAILED)}, 1),
        ({"verdicts": (PASSED, BLIND)}, 2),
        ({"verdicts": (FAILED, BLIND)}, 1),
        ({"verdicts": ()}, 2),
        ({"outcome": "Prometheus died.", "exit_code": 2}, 2),
        ({"outcome": "Prometheus died.", "exit_code": 2, "verdicts": (FAILED,)}, 1),
        ({"outcome": "Not healed: outage.", "exit_code": 70, "verdicts": (FAILED,)}, 70),
        ({"outcome": "interrupted by SIGINT", "exit_code": 130, "verdicts": (FAILED,)}, 130),
        ({"outcome": "interrupted by SIGTERM", "exit_code": 143}, 143),
        ({"raises": StackError("No port is free.")}, 2),
        ({"raises": KeyboardInterrupt()}, 130),
        ({"raises": Terminated()}, 143),
        ({"raises": ZeroDivisionError()}, 70),
        ({"judging": ZeroDivisionError()}, 70),
    ],
    ids=str,
)
def test_exit_codes(fakes, scenario, capsys, change, code):
    vars(fakes).update(change)
    assert main(["run", playable(scenario), "--speed", "30"]) == code
    assert "Traceback" not in capsys.readouterr().err
    assert [work for work in fakes.works if work.exists()] == []


def test_it_says_what_it_will_take_before_it_starts(fakes, scenario, capsys):
    main(["run", playable(scenario), "--speed", "10"])
    told = capsys.readouterr().err
    assert "sample: plays 20m of production time in 2m at speed 10, plus about 12 s for start and end." in told
    assert "MiB are available) and prometheus." in told
    assert told.index("Needs about") < told.index("baseline: 1m of 20m played")


def test_the_table_and_the_files_it_leaves(fakes, scenario, capsys, tmp_path):
    fakes.verdicts = (PASSED, FAILED, BLIND)
    assert main(["run", playable(scenario), "--speed", "30", "--junit", "out/all.xml"]) == 1
    told = capsys.readouterr().out
    for words in ("HighErrorRate did not fire.", "FAIL", "UNKNOWN", "1 pass, 1 fail, 1 unknown", "See metrics/."):
        assert words in told
    folder = (tmp_path / "here/runs/sample/latest").resolve()
    assert f"Evidence: runs/sample/{folder.name}" in told
    stored = json.loads((folder / "verdicts.json").read_text())
    assert (stored["answer"], stored["counts"]) == ("fail", {"pass": 1, "fail": 1, "unknown": 1})
    for path in (folder / "junit.xml", tmp_path / "here/out/all.xml"):
        root = Xml.parse(path).getroot()
        assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")


def test_options_reach_the_stages(fakes, scenario, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/tocsin", "run", "x"])
    argv = ["run", playable(scenario), "--speed", "30", "--timeout", "5m", "--keep-going", "--runs", "elsewhere"]
    assert main(argv) == 0
    told = fakes.told[0]
    assert (told["timeout_s"], told["keep_going"], told["command"]) == (300.0, True, ("tocsin", "run", "x"))


def test_all_mistakes_of_all_files_come_at_once_and_nothing_starts(fakes, scenario, tmp_path, capsys):
    good = scenario.read_text()
    scenario.write_text(good.replace("rate_per_s: 10", "rate_per_s: -10").replace("HighErrorRate", "HihgErrorRate"))
    other = tmp_path / "other.yaml"
    other.write_text(good.replace("for: 5m, traffic", "fro: 5m, traffic"))
    assert main(["run", str(scenario), str(other), "nothing.yaml"]) == 64
    told = capsys.readouterr().err
    for words in ("rate_per_s", "sample.yaml", "other.yaml", "fro", "nothing.yaml", "nothing was started"):
        assert words in told
    assert fakes.played == []


TEN = """\
version: 2
nmae: sample
summary: A sample.
stack: STACK
seed: soon
traffic: {rate_per_s: -1, arrivals: random}
timeline:
  - {phase: Base Line, for: 5m}
  - {phase: trouble, for: soon}
expect:
  - alerts/fier: {alert: HighErrorRate}
  - alerts/fire: {alert: HighErrorRate, within: 6m, delivered: page}
"""


def test_mistakes_of_the_command_line_come_together_with_those_of_the_files(scenario, capsys):
    argv = ["run", str(scenario), "--stack", "nix", "--engine", "dokker", "--timeout", "soon"]
    assert main(argv) == 64
    told = capsys.readouterr().err
    for word in ("nix", "dokker", "soon", "3 mistakes"):
        assert word in told


def test_ten_mistakes_are_ten_lines_with_their_places(scenario, tmp_path, capsys):
    scenario.write_text(TEN.replace("STACK", str(tmp_path / "small")))
    assert main(["run", str(scenario)]) == 64
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "tocsin: 10 mistakes; nothing was started."
    places = [line.removeprefix(f"{scenario}:").partition(":")[0] for line in lines[:-1]]
    assert sorted(set(places), key=int) == ["1", "2", "5", "6", "8", "9", "11", "12"]
    assert any("did you mean `alerts/fire`?" in line for line in lines)
    assert all("got " in line and "expected " in line for line in lines[:-1] if "unknown" not in line)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--speed", "100000"], "--speed: got 100000"),
        (["--only", "alert/*"], "--only: got alert/*"),
        (["--runs", "/proc/nowhere"], "/proc/nowhere"),
        (["--junit", "/proc/nowhere/x.xml"], "/proc/nowhere"),
    ],
)
def test_what_cannot_be_played_or_written_is_refused(fakes, scenario, capsys, argv, words):
    assert main(["run", playable(scenario), *argv]) == 64
    assert words in capsys.readouterr().err
    assert fakes.played == []


def test_a_drill_that_needs_what_is_not_here_is_unknown_when_named(fakes, scenario, capsys, real_faults):
    assert main(["run", str(scenario), "--speed", "30"]) == 2
    assert (
        "sample cannot be played here: Fault model_raises needs hook 'model_raises'; stack" in capsys.readouterr().err
    )
    assert fakes.played == []


@pytest.mark.parametrize(("capabilities", "said"), [((), ["Fault kill needs 'start'"]), (("start",), [])])
def test_what_the_engine_cannot_do_is_lacking(capabilities, said):
    planned = SimpleNamespace(kind="kill", fault=Kill.of({"role": "model"}))
    drill = SimpleNamespace(timeline=SimpleNamespace(stack=fault_stack(), faults=(planned,)))
    engine = SimpleNamespace(capabilities=lambda stack: frozenset(capabilities), owns_stack=True)
    assert [sentence.partition(",")[0] for sentence in lacking(drill, engine)] == said


def test_in_a_suite_it_is_listed_and_not_red(fakes, suite, capsys, real_faults):
    assert main(["run", str(suite), "--speed", "30", "--junit", "all.xml"]) == 0
    told = capsys.readouterr().out
    assert "hooked was not played: hooked cannot be played here" in told
    assert "1 of 2 drills played." in told
    assert fakes.played == ["plain"]
    assert Xml.parse("all.xml").getroot().get("skipped") == "1"


def test_a_suite_of_which_nothing_can_be_played_is_red(fakes, suite, real_faults):
    (suite / "b_plain.yaml").unlink()
    assert main(["run", str(suite), "--speed", "30"]) == 2


def test_ctrl_c_starts_no_further_drill(fakes, suite, capsys, scenario):
    for path in suite.iterdir():
        playable(path)
    vars(fakes).update(outcome="interrupted by SIGINT", exit_code=130)
    assert main(["run", str(suite), "--speed", "30"]) == 130
    assert fakes.played == ["hooked"]
    assert "the run ended before it" in capsys.readouterr().out


def test_the_worst_of_several_counts(fakes, suite, monkeypatch):
    for path in suite.iterdir():
        playable(path)
    answers = iter([(FAILED,), (BLIND,)])
    monkeypatch.setattr("tocsin.harness.judging.judge.judge", lambda *args, **more: next(answers))
    assert main(["run", str(suite), "--speed", "30"]) == 1


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("version: 1\nexpect: [rules/covered: {}]\n", 1, "no drill makes HighErrorRate fire"),
        ("version: 1\nexpect: [rules/covered: {may: [HighErrorRate]}]\n", 0, "all drills together: 1 pass"),
        ("version: 1\nexpect: [rules/covered: {may: [HighErorRate]}]\n", 64, "did you mean `HighErrorRate`?"),
        (None, 0, "Rules: 0 of 1 alerts fired in at least one of 2 drills; no drill makes HighErrorRate fire."),
    ],
)
def test_a_suite_file_asks_about_all_drills_together(fakes, suite, capsys, monkeypatch, text, code, words):
    for path in suite.iterdir():
        playable(path)
    if text is not None:
        (suite / "suite.yaml").write_text(text)
    rule = {"name": "HighErrorRate", "loaded": True}
    monkeypatch.setattr("tests.cli.faked.MORE", {"alerts": [rule], "signals": {"jobs": {}}})
    assert main(["run", str(suite), "--speed", "30", "--junit", "all.xml"]) == code
    told = capsys.readouterr()
    assert words in " ".join((told.out + told.err).split())
    assert (fakes.played == ["hooked", "plain"]) is (code != 64)
    if code != 64:
        assert ('name="suite"' in Path("all.xml").read_text()) is (text is not None)


@pytest.fixture
def real_faults(monkeypatch):
    """Faults that need a hook, as the reference stack's do."""
    from tocsin.harness.faults.model_raises import ModelRaises

    catalogue = replace(CATALOGUE, faults={"model_raises": ModelRaises})
    monkeypatch.setattr("tocsin.harness.cli.load_catalogue.catalogue", lambda: catalogue)


def test_a_stack_that_is_not_ours_is_broken_and_pages_with_leave_only(fakes, scenario, monkeypatch, capsys):
    from tocsin.harness.engines.local.engine import LocalEngine

    def told(*more):
        main(["run", str(scenario), *more])
        return capsys.readouterr().err

    monkeypatch.setattr(LocalEngine, "owns_stack", False)
    scenario.write_text(scenario.read_text().replace("{model_raises: {share: 0.3}", "{kill: {role: model}"))
    said = told("--speed", "30")
    for words in (
        "sample.yaml: faults: got kill; expected harmless faults",
        "allow_faults does not list kill (for model) and --allow-faults was not given.",
        "--speed: got 30; expected 1: the times of an external stack cannot be divided",
        "--allow-pages: got nothing; expected this option",
        "tocsin: 3 mistakes; nothing was started.",
    ):
        assert words in said
    stack = scenario.parent / "small" / "stack.yaml"
    stack.write_text("allow_faults: [{role: model, faults: [kill]}]\n" + stack.read_text())
    assert "is not ours, and --allow-faults was not given." in told("--allow-pages")
    assert "--allow-pages" in told("--allow-faults")
    assert fakes.played == []
    assert "nothing was started" not in told("--allow-faults", "--allow-pages")
