"""tocsin fidelity: its table, its file and its exit codes; the comparison itself is tested beside it."""

import json

import numpy as np
import pytest

import tocsin.harness.provisioning.programs
from tests.evidence.build import START, build, firing, steady, together
from tocsin.harness.cli import main
from tocsin.harness.judging.fidelity import assessment
from tocsin.harness.judging.fidelity.assessment import Fidelity
from tocsin.harness.judging.fidelity.comparison import Pair, Row, Stretch
from tocsin.harness.provisioning.program_lookup import Program
from tocsin.harness.provisioning.programs import cache_folder, find_all

FIRED = Stretch(pending=40.0, start=100.0, end=200.0)
LATER = Stretch(pending=40.0, start=160.0, end=None)


def row(pair, **more):
    given = {"alert": "Down", "labels": {"job": "a"}, "group": "g", "oracle": "promtool", "origin": START - 1}
    return Row(**{**given, "tolerance_s": 15.0, "pair": pair, **more})


SAME = row(Pair(live=FIRED, oracle=FIRED, verdict="same"))
OFF = row(Pair(live=FIRED, oracle=LATER, verdict="different", reason="its onset is 60 s earlier than in production"))
EXEMPT = row(Pair(live=FIRED, oracle=None, verdict="exempt", reason="only the run saw it; it is bound to the restart"))
ON_BLOCKS = row(Pair(live=FIRED, oracle=FIRED, verdict="same"), oracle="Prometheus on backfilled blocks")


def result(*rows, untold=(), oracles=("Down", "Quiet")):
    return Fidelity(rows=rows, silent=("Quiet",), untold=untold, oracles=dict.fromkeys(oracles, "promtool"))


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    def play(found, *more):
        build(tmp_path / "run", speed=10)
        monkeypatch.setattr(tocsin.harness.provisioning.programs, "find_all", lambda names, cache: {
            name: Program(name=name, version="2.42", path=tmp_path / name, origin="PATH") for name in names
        })  # fmt: skip
        monkeypatch.setattr(assessment, "examine", lambda evidence, promtool, fallback: found)
        code = main(["fidelity", str(tmp_path / "run"), *more])
        return code, capsys.readouterr(), tmp_path / "run"

    return play


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (result(SAME), 0, "FAITHFUL"),
        (result(), 0, "FAITHFUL"),
        (result(SAME, EXEMPT), 0, "it is bound to the restart"),
        (result(SAME, OFF), 1, "its onset is 60 s earlier than in production"),
        (result(SAME, untold=("X: nobody knows",)), 2, "unknown: X: nobody knows"),
        (result(OFF, untold=("X: nobody knows",)), 1, "DIFFERENT"),
        (result(oracles=()), 2, "UNKNOWN"),
        (result(ON_BLOCKS), 0, "Prometheus on backfilled blocks"),
    ],
)
def test_the_exit_code_and_what_is_said(run, found, code, said):
    got, output, _ = run(found)
    assert got == code
    assert said in " ".join(output.out.split())


def test_the_table_shows_production_and_wall_time(run):
    _, output, _ = run(result(OFF))
    lines = [line.split() for line in output.out.splitlines()]
    assert ["Down", "a", "fires", "90", "s", "[9.0]", "150", "s", "-60", "s", "15", "s", "different"] in lines


def test_the_file_and_the_json_say_the_same(run):
    _, output, folder = run(result(SAME), "--json")
    written = json.loads((folder / "fidelity.json").read_text())
    assert json.loads(output.out) == [written]
    assert (written["answer"], written["silent"], written["unknown"]) == ("faithful", ["Quiet"], [])
    [alert] = written["alerts"]
    assert (alert["live_start_s"], alert["oracle_end_s"], alert["start_at"]) == (90, 190, START + 9)


def test_a_folder_that_is_no_run_is_unknown(run, tmp_path):
    code, output, _ = run(result(SAME), str(tmp_path / "nothing"), str(tmp_path))
    assert (code, output.err.count("holds no run.json")) == (2, 2)
    assert "FAITHFUL" in output.out  # the one that is a run is compared all the same


@pytest.mark.e2e
def test_a_real_comparison(tmp_path, capsys):
    if not find_all(("promtool",), cache_folder()):
        pytest.fail("promtool is missing")
    series = together(
        {'up{job="a", instance="a:1"}': [*steady(1, 0, 29), *steady(0, 30, 39), *steady(1, 40, 60)]},
        firing('Down{job="a", instance="a:1"}', pending=30.5, start=33.5, end=40.5),
        {"eval_ts{}": steady(1, 0.5, 60)},
    )
    build(tmp_path, series=series, speed=10)
    rules = tmp_path / "config/original/rules.yml"
    rules.parent.mkdir(parents=True)
    text = "groups: [{name: g, rules: [{record: eval_ts, expr: time()}, {alert: Down, expr: up == 0, for: 30s}]}]"
    rules.write_text(text)
    assert main(["fidelity", str(tmp_path)]) == 0
    rules.write_text(text.replace("30s", "1m"))
    assert main(["fidelity", str(tmp_path)]) == 1
    rules.write_text(text.replace("30s", "5m"))
    assert main(["fidelity", str(tmp_path)]) == 1
    assert np.isfinite(json.loads((tmp_path / "fidelity.json").read_text())["alerts"][0]["live_start_s"])
    assert "only the run saw it fire, for 70 s" in capsys.readouterr().out
