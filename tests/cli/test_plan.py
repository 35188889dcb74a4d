"""tocsin plan: floors beside bounds, and the largest honest speed; --speed max."""

import math

import pytest

from tests.small_stack import SERVICE, write_scenario
from tocsin.harness.cli import engine_registry, main
from tocsin.harness.cli.options import speed_of

RATIO = SERVICE.replace("rate(e[5m]) > 0.05", 'rate(n{s="e"}[5m]) / rate(n[5m]) > LIMIT')
DURING = ("in: trouble", "during: failing")


@pytest.mark.parametrize(("text", "speed"), [("1", 1), ("30", 30), ("2.5", 2.5), ("max", math.inf), (1.0, 1)])
def test_a_speed_is_a_number_or_max(text: str, speed: float) -> None:
    assert speed_of(text) == speed


@pytest.mark.parametrize("text", ["0.5", "-3", "inf", "nan", "fast", ""])
def test_any_other_speed_is_refused(fakes, tmp_path, capsys, text: str) -> None:
    assert main(["plan", str(write_scenario(tmp_path)), f"--speed={text}"]) == 64
    assert "neither `max` nor a number of 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "within", "words"),
    [
        ("0.05", "6m", "2m38s 4m38s 6m yes"),
        ("0.05", "3m", "2m38s 4m38s 3m perhaps, up to 1m38s too late"),
        ("0.05", "1m", "2m38s 4m38s 1m NO, 1m38s too late"),
        ("0.5", "6m", "never never 6m NO, it cannot fire"),
    ],
)
def test_a_bound_is_marked_by_how_much_it_is_missed(fakes, tmp_path, capsys, limit, within, words) -> None:
    path = write_scenario(tmp_path, DURING, ("within: 6m", f"within: {within}"), service=RATIO.replace("LIMIT", limit))
    assert main(["plan", str(path), "--speed", "30"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"HighErrorRate failing {words}" in told
    assert "scrape 0s..15s + evaluation 0s..30s" in told
    assert "witness -9s..0s" in told


def test_max_takes_the_largest_honest_speed_and_says_what_sets_it(fakes, tmp_path, capsys) -> None:
    assert main(["plan", str(write_scenario(tmp_path)), "--speed", "max"]) == 0
    told = capsys.readouterr().out
    assert "20m of production time at speed 150: 8s of play" in told
    assert "The largest honest speed is 150; its limit: scrapes every 15 s cannot be closer than 0.1 s." in told
    assert "refuses" not in told


@pytest.mark.parametrize(("engine", "around_s"), [("local", 12), ("compose", 20), ("compose:full", 20)])
def test_what_is_around_play_depends_on_the_engine(fakes, tmp_path, capsys, engine: str, around_s: int) -> None:
    assert main(["plan", str(write_scenario(tmp_path)), "--engine", engine, "--speed", "10"]) == 0
    assert f"2m of play, plus about {around_s} s for start and end" in capsys.readouterr().out


def test_every_engine_of_the_list_is_there() -> None:
    kinds = [type(engine_registry.engine(name)).__name__ for name in engine_registry.ENGINES]
    assert kinds == ["LocalEngine", "ComposeEngine", "ExternalEngine"]


def test_run_refuses_a_speed_that_is_not_honest(fakes, tmp_path, capsys) -> None:
    assert main(["run", str(write_scenario(tmp_path)), "--speed", "200", "--runs", str(tmp_path / "runs")]) == 64
    assert "the largest honest speed is 150" in capsys.readouterr().err
    assert fakes.played == []


def test_run_takes_the_largest_honest_speed(fakes, tmp_path, capsys) -> None:
    main(["run", str(write_scenario(tmp_path)), "--speed", "max", "--runs", str(tmp_path / "runs")])
    assert "plays 20m of production time in 8s at speed 150" in capsys.readouterr().err


def test_it_shows_what_is_drawn_and_what_guards_the_drill(fakes, tmp_path, capsys) -> None:
    fault = "{model_raises: {share: 0.3}, at: 2m, for: 5m, name: failing}"
    path = write_scenario(
        tmp_path,
        (fault, "{random: {from: [{kill: {role: model}}], every: 4m, for: 1m}}"),
        ("timeline:", "budget: {targets: 1, for: 2m}\nabort: [{when: 'rate(e_total[5m]) > 1', for: 1m}]\ntimeline:"),
    )
    assert main(["plan", str(path), "--speed", "30"]) == 0
    told = capsys.readouterr().out
    for words in (
        "inject random-1-kill", "heal random-2-kill", "At most 1 broken at once, for 2m.",
        "Aborts when this holds for 1m: rate(e_total[5m]) > 1\n  at this speed: rate(e_total[10s]) > 1",
    ):  # fmt: skip
        assert words in told
