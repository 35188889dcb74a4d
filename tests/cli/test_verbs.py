"""The verbs that play nothing."""

import contextlib
import json
import os
import signal
import threading
from types import SimpleNamespace

import pytest

from tests.assertions.test_rules_covered import drill
from tests.cli.faked import FAILED, PASSED, write_run
from tests.small_stack import write_scenario, write_stack
from tocsin.harness.cli import main
from tocsin.harness.core.errors import RoleDied
from tocsin.harness.engines.guardian.sweep import SweptRun
from tocsin.harness.provisioning.program_lookup import Absent, Program


def test_plan_prints_steps_floors_and_expectations(fakes, tmp_path, capsys):
    assert main(["plan", str(write_scenario(tmp_path)), "--speed", "10"]) == 0
    told = capsys.readouterr().out
    for words in (
        "sample: A sample.",
        "20m of production time at speed 10: 2m of play",
        "phase trouble",
        "inject failing",
        "model_raises {share: 0.3}",
        "soonest",
        "HighErrorRate",
        "alerts/fire {alert: HighErrorRate, in: trouble, within: 6m, delivered_to: page}",
    ):
        assert words in told
    assert fakes.played == []


def test_plan_tells_what_is_waived(fakes, tmp_path, capsys):
    waived = ("- alerts/quiet: {}", "- alerts/quiet: {}\n    waive: {until: 2027-01-31, reason: It is known.}")
    assert main(["plan", str(write_scenario(tmp_path, waived)), "--speed", "10"]) == 0
    assert "  alerts/quiet (a failure is waived until 2027-01-31)" in capsys.readouterr().out


def test_plan_prints_the_limits_of_speed_and_refuses_nothing(fakes, tmp_path, capsys):
    assert main(["plan", str(write_scenario(tmp_path)), "--speed", "100000"]) == 0
    assert "`tocsin run` refuses this speed." in capsys.readouterr().out


@pytest.mark.parametrize(("verdict", "code"), [(PASSED, 0), (FAILED, 1)])
def test_judge_judges_a_run_directory_again(fakes, tmp_path, capsys, verdict, code):
    fakes.verdicts = (verdict,)
    folder = write_run(tmp_path / "copied")
    assert main(["judge", str(folder)]) == code
    told = capsys.readouterr()
    assert verdict.reason in told.out
    assert "There is no verdicts.json to compare with." in told.err
    assert sorted(path.name for path in folder.iterdir()) == ["run.json"]


def test_judge_tells_what_differs(fakes, tmp_path, capsys):
    folder = write_run(tmp_path / "copied")
    assert main(["judge", str(folder), "--json"]) == 0
    (folder / "verdicts.json").write_text(capsys.readouterr().out)
    main(["judge", str(folder)])
    assert "The same verdicts as in verdicts.json." in capsys.readouterr().err
    fakes.verdicts = (FAILED,)
    main(["judge", str(folder)])
    assert "not judged before" in capsys.readouterr().err


def test_judge_answers_for_the_verdicts_not_for_how_the_run_ended(fakes, tmp_path):
    folder = write_run(tmp_path / "copied", outcome="interrupted by SIGINT", exit_code=130)
    assert main(["judge", str(folder)]) == 2


def test_judge_judges_several_runs_and_what_a_suite_asks_of_all(fakes, tmp_path, capsys):
    for name, fired in (("one", ["Down"]), ("two", [])):
        drill(tmp_path / name, *fired)
    folders = [str(tmp_path / name) for name in ("one", "two")]
    assert main(["judge", *folders]) == 0
    told = capsys.readouterr().out
    assert "Rules: 1 of 2 alerts fired in at least one of 2 drills; no drill makes Slow fire." in told
    suite = tmp_path / "suite.yaml"
    suite.write_text("version: 1\nexpect: [rules/covered: {}]\n")
    assert main(["judge", *folders, "--suite", str(suite), "--junit", str(tmp_path / "all.xml")]) == 1
    assert "all drills together: 0 pass, 1 fail, 0 unknown." in capsys.readouterr().out
    assert 'testsuite name="suite"' in (tmp_path / "all.xml").read_text()
    suite.write_text("version: 1\nexpect: [rules/covered: {may: [Slow]}]\n")
    assert main(["judge", *folders, "--suite", str(suite), "--json"]) == 0
    assert [row["answer"] for row in json.loads(capsys.readouterr().out)] == ["pass", "pass"]
    suite.write_text("version: 1\nexpect: [rules/covered: {may: [Slwo]}]\n")
    assert main(["judge", *folders, "--suite", str(suite)]) == 64
    assert "unknown alert `Slwo`; did you mean `Slow`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "holds no run.json"), ("{", "is not JSON"), ('{"schema": 99}', "has schema 99")],
)
def test_judge_cannot_read_everything(tmp_path, capsys, text, words):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert main(["judge", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_ls_lists_everything_that_can_be_named(capsys):
    assert main(["ls"]) == 0
    told = capsys.readouterr().out
    for name in ("tour", "alerts/fire", "model_raises", "shift", "reference", "local"):
        assert name in told
    assert "(no summary)" not in told


@pytest.mark.parametrize(
    ("word", "there", "absent"),
    [
        ("scenarios", "tour", "alerts/fire"),
        ("checks", "rules/covered", "model_raises"),
        ("faults", "model_raises", "alerts/fire"),
        ("payloads", "shift", "poisson"),
        ("arrivals", "poisson", "shift"),
        ("users", "predict", "poisson"),
        ("stacks", "reference", "external"),
        ("engines", "external", "reference"),
    ],
)
def test_ls_lists_one_kind(capsys, word, there, absent):
    assert main(["ls", word]) == 0
    names = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()]
    assert there in names and absent not in names


def test_ls_knows_no_other_word(capsys):
    assert main(["ls", "fault"]) == 64
    told = capsys.readouterr().err
    assert "got fault; expected one of: scenarios, checks" in told and "Did you mean `faults`?" in told


def test_schema_describes_the_file_as_it_is_written(capsys):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    phase = schema["$defs"]["Phase"]["properties"]
    faults = [item["required"] for item in phase["faults"]["items"]["oneOf"]]
    checks = [item["required"] for item in schema["properties"]["expect"]["items"]["oneOf"]]
    assert ["kill"] in faults and ["random"] in faults
    assert ["alerts/fire"] in checks
    assert {"type": "number"} in phase["for"]["anyOf"]
    assert set(schema["required"]) == {"version", "name", "summary", "timeline", "expect"}
    references = set(json.dumps(schema).split('"#/$defs/')[1:])
    assert {text.partition('"')[0] for text in references} <= set(schema["$defs"])


def seen(*missing):
    def look_up_all(names, cache):
        return {
            name: Absent(name=name, wanted=f"{name} >= 1")
            if name in missing
            else Program(name=name, version="2.42.0", path=cache / name, origin="cache")
            for name in names
        }

    return look_up_all


@pytest.mark.parametrize(
    ("missing", "memory_mib", "disk_mib", "code", "words"),
    [
        ((), 99_999, 99_999, 0, "Everything that stack reference needs is here."),
        (("prometheus",), 99_999, 99_999, 2, "Missing: prometheus. Run `tocsin setup`"),
        ((), 10, 99_999, 2, "Too little: memory."),
        ((), 99_999, 10, 2, "Free some space in "),
    ],
)
def test_doctor(monkeypatch, capsys, missing, memory_mib, disk_mib, code, words):
    monkeypatch.setattr("tocsin.harness.provisioning.programs.look_up_all", seen(*missing))
    monkeypatch.setattr("tocsin.harness.provisioning.programs.memory_mib", lambda: memory_mib)
    monkeypatch.setattr("tocsin.harness.provisioning.programs.disk_free_mib", lambda path: disk_mib)
    assert main(["doctor"]) == code
    told = capsys.readouterr().out
    assert words in told
    assert "2.42.0" in told


def test_setup_reports_what_it_does(monkeypatch, capsys, tmp_path):
    def bring(names, cache, report):
        report("Fetching Elasticsearch (107 MB).")
        return seen()(names, tmp_path)

    monkeypatch.setattr("tocsin.harness.provisioning.programs.setup", bring)
    assert main(["setup"]) == 0
    told = capsys.readouterr()
    assert "Fetching Elasticsearch (107 MB)." in told.err
    assert f"prometheus 2.42.0 (cache: {tmp_path}/prometheus)" in told.out


def test_sweep_says_what_it_removed(monkeypatch, capsys):
    monkeypatch.setattr("tocsin.harness.engines.guardian.sweep.sweep", lambda: [SweptRun(run_id="260101-000000-abcd")])
    assert main(["sweep"]) == 0
    assert "Cleaned up after run 260101-000000-abcd." in capsys.readouterr().out


class Engine:
    """Brings up a stack of which `dead` says who has died; tells when it is up and that it is down."""

    def __init__(self, dead):
        self.dead = dead
        self.down = False
        self.ready = threading.Event()

    def programs(self, stack):
        return ()

    @contextlib.contextmanager
    def up(self, timeline, run, journal):
        def died():
            self.ready.set()
            return self.dead

        try:
            yield SimpleNamespace(stack=timeline.stack, address=lambda role, port=None: "127.0.0.1:4242", died=died)
        finally:
            self.down = True


@pytest.mark.parametrize(
    ("dead", "number", "code", "words"),
    [
        ({}, signal.SIGINT, 0, "Taking it down."),
        ({}, signal.SIGTERM, 143, "tocsin: terminated."),
        ({"prometheus": "prometheus ended with 1."}, None, RoleDied.exit_code, "prometheus ended with 1."),
    ],
    ids=["ctrl-c", "sigterm", "died"],
)
def test_up_stays_until_it_is_told_to_go(fakes, monkeypatch, tmp_path, capsys, dead, number, code, words):
    engine = Engine(dead)
    monkeypatch.setattr("tocsin.harness.cli.engine_registry.engine", lambda name: engine)

    def ask():
        if engine.ready.wait(20):
            os.kill(os.getpid(), number)

    asking = threading.Thread(target=ask)
    if number is not None:
        asking.start()
    assert main(["up", "--stack", str(write_stack(tmp_path / "small"))]) == code
    told = capsys.readouterr()
    assert "model       http 127.0.0.1:4242" in told.out
    assert words in told.err
    assert engine.down
    if number is not None:
        asking.join()
