from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS, RECORD
from tocsin.harness.traffic.pacers import ALL, CATALOGUE, Setting
from tocsin.harness.traffic.pacers.replay import kept, read

MINUTES = 60.0


def curve(name, args=None, rate_per_s=100.0, length_s=600.0, **more):
    pacer = CATALOGUE[name]
    setting = Setting(rate_per_s=rate_per_s, length_s=length_s, **more)
    return pacer.args.model_validate(args or {}).curve(setting)


def problems(name, args, length_s=600.0, **more):
    pacer = CATALOGUE[name]
    return pacer.wrong(pacer.args.model_validate(args), rate_per_s=100.0, length_s=length_s, **more)


RATES = [
    # pacer, arguments, {second of the shape: rate there}
    ("constant", {}, {0: 100, 599: 100}),
    ("poisson", {}, {0: 100, 599: 100}),
    ("ramp", {"to_per_s": 300}, {0: 100, 300: 200, 599.999: 300}),
    ("ramp", {"to_per_s": 0, "from_per_s": 50, "over": "5m"}, {0: 50, 150: 25, 301: 0, 599: 0}),
    ("steps", {"rates_per_s": [10, 20, 30]}, {0: 10, 199: 10, 201: 20, 399: 20, 401: 30, 599: 30}),
    ("steps", {"rates_per_s": [10, 20, 30], "every": "1m"}, {59: 10, 61: 20, 121: 30, 599: 30}),
    ("burst", {"to_per_s": 500, "for": "30s"}, {0: 500, 29: 500, 31: 100, 599: 100}),
    ("burst", {"to_per_s": 500, "for": "30s", "at": "1m", "every": "3m"},
     {59: 100, 61: 500, 89: 500, 91: 100, 241: 500, 271: 100, 421: 500, 599: 100}),
    ("burst", {"to_per_s": 0, "for": "1m", "at": "9m"}, {1: 100, 541: 0, 599: 0}),
    ("diurnal", {"swing": 0.5, "period": "10m"}, {0: 50, 150: 100, 300: 150, 450: 100}),
    ("diurnal", {"swing": 1, "period": "10m", "peak_at": "0s"}, {0: 200, 150: 100, 300: 0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "rates"), RATES, ids=[f"{name} {args}" for name, args, _ in RATES])
def test_the_rate_is_what_the_arguments_say(name, args, rates):
    asked = curve(name, args)
    assert asked.length_s == 600
    for at_s, rate in rates.items():
        assert asked.between(at_s - 0.0005, at_s + 0.0005) == pytest.approx(
            rate * (0.0005 if at_s == 0 else 0.001), rel=2e-3, abs=2e-5
        )


TOTALS = [
    ("ramp", {"to_per_s": 300}, 120_000),
    ("steps", {"rates_per_s": [10, 20, 30]}, 12_000),
    ("burst", {"to_per_s": 500, "for": "30s", "every": "3m"}, 60_000 + 4 * 30 * 400),
    ("diurnal", {"swing": 0.7, "period": "10m"}, 60_000),
]


@pytest.mark.parametrize(("name", "args", "total"), TOTALS)
def test_the_total_is_the_area(name, args, total):
    assert curve(name, args).total == pytest.approx(total, rel=1e-3)


def test_a_diurnal_curve_stays_close_to_the_cosine():
    asked = curve("diurnal", {"swing": 1, "period": "24h"}, length_s=86_400)
    times = np.linspace(0, 86_400, 2000)
    rates = np.array([asked.between(at - 0.5, at + 0.5) for at in times[1:-1]])
    exact = 100 * (1 - np.cos(2 * np.pi * times[1:-1] / 86_400))
    assert np.abs(rates - exact).max() < 0.06


@pytest.mark.parametrize("gaps", ["poisson", "constant"])
@pytest.mark.parametrize(
    ("name", "args"),
    [("ramp", {"to_per_s": 9}), ("steps", {"rates_per_s": [1]}), ("burst", {"to_per_s": 9, "for": 1}),
     ("diurnal", {"swing": 0.1})],
)  # fmt: skip
def test_a_shape_says_how_its_gaps_are(name, args, gaps):
    assert curve(name, {**args, "gaps": gaps}).gaps == gaps
    assert curve(name, args).gaps == "poisson"


WRONG = [
    ("constant", {"to_per_s": 3}), ("poisson", {"gaps": "constant"}), ("ramp", {}), ("ramp", {"to_per_s": -1}),
    ("ramp", {"to_per_s": 3, "over": 0}), ("ramp", {"to_per_s": float("inf")}), ("steps", {"rates_per_s": []}),
    ("steps", {"rates_per_s": [1, -2]}), ("burst", {"to_per_s": 3}),
    ("burst", {"to_per_s": 3, "for": "2m", "every": "1m"}), ("diurnal", {"swing": 1.1}), ("diurnal", {"swing": 0}),
    ("replay", {}), ("closed", {}), ("closed", {"users": 0}), ("closed", {"users": 2, "think": -1}),
    ("ramp", {"to_per_s": 3, "gaps": "replayed"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), WRONG)
def test_wrong_arguments_are_refused(name, args):
    with pytest.raises(ValidationError):
        CATALOGUE[name].args.model_validate(args)


@pytest.mark.parametrize(
    ("name", "args", "key", "words"),
    [
        ("ramp", {"to_per_s": 3, "over": "11m"}, "over", "at most 10m"),
        ("ramp", {"to_per_s": 3, "over": "10m"}, None, ""),
        ("steps", {"rates_per_s": [1, 2, 3], "every": "5m"}, "every", "at most 3m20s"),
        ("steps", {"rates_per_s": [1, 2, 3], "every": "4m"}, None, ""),
        ("burst", {"to_per_s": 3, "for": "1m", "at": "9m30s"}, "at", "ends within 10m"),
        ("burst", {"to_per_s": 3, "for": "11m"}, "for", "ends within 10m"),
        ("burst", {"to_per_s": 3, "for": "1m", "at": "9m"}, None, ""),
        ("burst", {"to_per_s": 3, "for": "10ms", "every": "20ms"}, "every", "10 000 bursts"),
        ("diurnal", {"swing": 0.5, "period": "500ms"}, "period", "1 000 periods"),
        ("replay", {"file": "nowhere.txt"}, "file", "there is no recording nowhere.txt"),
    ],
)
def test_what_does_not_fit_its_phase_is_named(name, args, key, words):
    found = problems(name, args)
    assert [one[0] for one in found] == ([key] if key else [])
    assert all(words in one[2] for one in found)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("poisson", {}, "100 requests/s, poisson"),
        ("ramp", {"to_per_s": 300, "over": "5m"}, "ramp from 100 to 300 requests/s over 5m, poisson"),
        ("steps", {"rates_per_s": [10, 20]}, "steps of 10, 20 requests/s, 5m each, poisson"),
        ("burst", {"to_per_s": 500, "for": "30s", "every": "3m", "gaps": "constant"},
         "100 requests/s with bursts to 500/s for 30s each 3m from 0s on, constant"),
        ("diurnal", {"swing": 0.5, "period": "10m"}, "50 to 150 requests/s in a period of 10m with its peak at 5m"),
        ("closed", {"users": 20, "think": "1s"}, "20 users who wait for their answer and think 1s of wall time"),
    ],
)  # fmt: skip
def test_the_plan_says_it_in_words(name, args, words):
    planned = CATALOGUE[name].plan(args, start_s=0, end_s=600, rate_per_s=100.0, length_s=600.0, speed=30.0)
    assert words in planned.words


def test_speed_divides_the_times_of_a_shape_and_not_its_rates():
    planned = CATALOGUE["ramp"].plan(
        {"to_per_s": 300}, start_s=300, end_s=600, rate_per_s=100.0, length_s=600.0, speed=30.0
    )
    assert (planned.asked.t_s, planned.asked.rate_per_s, planned.from_s) == ((0, 10), (200, 300), 300)


def test_a_closed_loop_has_users_and_a_think_time_that_no_speed_divides():
    planned = CATALOGUE["closed"].plan(
        {"users": 20, "think": "1s"}, start_s=0, end_s=600, rate_per_s=1.0, length_s=600.0, speed=30.0
    )
    assert (planned.asked.gaps, planned.asked.users, planned.asked.think_s) == ("closed", 20, 1.0)
    assert planned.asked.length_s == 20


@pytest.fixture
def recording(tmp_path):
    offsets = np.cumsum(np.random.default_rng(1).exponential(0.05, 12_000))
    path = tmp_path / "arrivals.txt"
    np.savetxt(path, offsets + 1000, fmt="%.6f")
    return path


def test_a_recording_is_replayed_as_it_was(recording):
    asked = curve("replay", {"file": recording.name}, folders=(recording.parent,))
    offsets = read(recording)
    assert offsets[0] == 0 and asked.gaps == "recorded"
    assert asked.total == np.count_nonzero(offsets < 600)
    assert asked.between(0, 60) == pytest.approx(np.count_nonzero(offsets < 60), abs=2)


def test_a_recording_at_speed_keeps_its_rate_and_its_gaps(recording):
    planned = CATALOGUE["replay"].plan(
        {"file": recording.name}, start_s=0, end_s=600, rate_per_s=1.0, length_s=600.0, speed=10.0,
        folders=(recording.parent,), seed=3,
    )  # fmt: skip
    times = kept(recording, 10.0, 3) / 10
    assert len(times) == pytest.approx(1200, abs=4 * np.sqrt(1200 * 0.9))
    assert planned.asked.total == np.count_nonzero(times < 60) and planned.asked.length_s == 60
    gaps = np.sort(np.diff(times)) * 20
    distance = np.abs(1 - np.exp(-gaps) - np.arange(len(gaps)) / len(gaps)).max()
    assert distance < 0.06  # still exponential at 20/s
    assert (kept(recording, 10.0, 3) == kept(recording, 10.0, 3)).all()
    assert (
        len(kept(recording, 10.0, 4)) != len(kept(recording, 10.0, 3))
        or (kept(recording, 10.0, 4) != kept(recording, 10.0, 3)).any()
    )
    assert "thinned, " in planned.warnings[0] and "1 in 10" in planned.words


def test_a_recording_that_ends_early_is_warned_about(recording):
    planned = CATALOGUE["replay"].plan(
        {"file": recording.name}, start_s=0, end_s=3600, rate_per_s=1.0, length_s=3600.0, folders=(recording.parent,)
    )
    assert [one for one in planned.warnings if "nothing is sent then" in one] and len(planned.warnings) == 1


def test_the_scenario_folder_is_sought_before_the_stack(tmp_path):
    for place, offset in (("scenario", 1.5), ("stack", 2.5)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.txt").write_text(f"0\n{offset}\n")
    folders = (tmp_path / "scenario", tmp_path / "stack")
    words = CATALOGUE["replay"].plan(
        {"file": "a.txt"}, start_s=0, end_s=9, rate_per_s=1.0, length_s=9.0, folders=folders
    ).words  # fmt: skip
    assert "2 arrivals of a.txt, 2s long" in words
    assert problems("replay", {"file": "a.txt"}, folders=folders[1:]) == []


def test_the_records_of_a_run_are_a_recording(tmp_path):
    rows = np.zeros(4, RECORD)
    rows["intended"], rows["worker"], rows["kind"] = [50.0, 53.0, 51.0, 50.5], [1, 2, 1, 0], KINDS.index("normal")
    np.save(tmp_path / "1.npy", rows)
    assert read(tmp_path / "1.npy").tolist() == [0, 1, 3]  # the canary's is left out


@pytest.mark.parametrize("text", ["", "1\ntwo\n", "nan\n", "1 2\n3 4\n"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_what_is_no_recording_is_refused(tmp_path, text):
    path = tmp_path / "wrong.txt"
    path.write_text(text)
    with pytest.raises(StackError, match="is not a recording"):
        read(path)
    assert problems("replay", {"file": "wrong.txt"}, folders=(tmp_path,))[0][0] == "file"


def test_every_pacer_is_found_by_its_file():
    folder = Path(__file__).resolve().parents[2] / "harness/traffic/pacers"
    files = sorted(path.stem for path in folder.glob("*.py"))
    assert (
        [pacer.name for pacer in ALL]
        == list(CATALOGUE)
        == [name for name in files if name not in ("__init__", "pacer")]
    )
    assert all(pacer.summary for pacer in ALL)
