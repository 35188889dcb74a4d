from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tests.assertions.asking import KINDS, ask, says
from tests.evidence.build import SIGNALS, asked, fault

BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
RUN = {"kinds": KINDS, "signals": {**SIGNALS, "latency": {"metric": "latency_seconds"}}}


@dataclass(frozen=True)
class Service:
    """Turns the seconds a request took in the service into what its histogram observes; None: nothing."""

    observes: Callable[[int, float], float | None] = lambda place, took_s: took_s
    share: float = 0.8
    """Of what the client waits."""


def requests(count: int = 600, took_s: float = 0.02, start: float = 0, end: float = 119, **more) -> list[dict]:
    rng = np.random.default_rng(count)
    times = np.linspace(start, end, count, endpoint=False)
    took = took_s * rng.lognormal(0, 0.4, count)
    return [asked(float(at), took_s=float(one), **more) for at, one in zip(times, took, strict=True)]


def histogram(rows: list[dict], service: Service, since: float = 0.0, every: float = 1.0) -> dict:
    """What is scraped each second: buckets, sum and count of all that was answered by then."""
    ends, values = [], []
    for place, row in enumerate(rows):
        value = service.observes(place, service.share * row["took_s"])
        if value is not None and row["outcome"] in ("answered", "unknown"):
            ends.append(row["at"] + row["took_s"])
            values.append(value)
    ends, values = np.array(ends), np.array(values)
    times = np.arange(since + 0.5, 125, every)
    labels = 'job="ml-inference", instance="model:80"'

    def line(weights: np.ndarray) -> list[tuple[float, float]]:
        return [(float(at), float(weights[ends <= at].sum())) for at in times]

    series = {
        f'latency_seconds_bucket{{{labels}, le="{bound:g}"}}': line((values <= bound).astype(float)) for bound in BOUNDS
    }
    series[f'latency_seconds_bucket{{{labels}, le="+Inf"}}'] = line(np.ones(len(values)))
    series[f"latency_seconds_sum{{{labels}}}"] = line(values)
    return series


def found(folder, rows, service=Service(), args=None, **more):
    return ask("latency/metric_agrees", folder, args or {}, requests=rows, series=histogram(rows, service),
               **{"run": RUN, **more})  # fmt: skip


GOOD = Service()
RAISING = {7, 8, 9}

BROKEN = [
    # what is wrong with the histogram, and how it shows
    ("nothing observed on exceptions", lambda place, took_s: None if place in RAISING else took_s,
     ["597 observations, clients account for 600"]),
    ("milliseconds", lambda place, took_s: 1000 * took_s, ["says it took longer than it did", "its sum is"]),
    ("a clock step forwards", lambda place, took_s: took_s + (3600 if place == 50 else 0),
     ["599 observations up to", "its sum is 3.61e+03 s, more than"]),
    ("a clock step backwards", lambda place, took_s: took_s - (3600 if place == 50 else 0),
     "its sum fell without a planned restart: a duration was negative"),
    ("observed twice", lambda place, took_s: took_s, "1200 observations, clients account for 600"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "observes", "words"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_histogram_is_seen(tmp_path, name, observes, words):
    rows = requests()
    service = Service(observes)
    series = histogram(rows, service)
    if name == "observed twice":
        series = {key: [(at, 2 * value) for at, value in points] for key, points in series.items()}
    result = ask("latency/metric_agrees", tmp_path, {}, requests=rows, series=series, run=RUN)
    says(result, "fail", ["Histogram and clients disagree", *([words] if isinstance(words, str) else words)])


@pytest.mark.parametrize("share", [0.05, 0.8, 1.0])
def test_a_good_histogram_agrees(tmp_path, share):
    says(found(tmp_path, requests(), Service(share=share)), "pass",
         ["agree in 8 buckets: 600 observed, 600 answered", "at the client"])  # fmt: skip


@pytest.mark.parametrize(
    ("slow", "args", "answer", "words"),
    [
        (400, {}, "fail", ["only 200 clients had an answer", "does not see what they waited for"]),
        (5, {}, "pass", ""),  # fewer than one in a hundred
        (7, {}, "fail", "does not see"),
        (7, {"hidden": 0.02}, "pass", ""),
        (400, {"overhead": "3s"}, "pass", ""),
    ],
)
def test_a_service_that_does_not_see_the_queue_before_it(tmp_path, slow, args, answer, words):
    """The clients of some requests wait 2 s, the service says 16 ms: overload that it is blind to."""
    rows = requests()
    seen = [0.8 * row["took_s"] for row in rows]
    for row in rows[:slow]:
        row["took_s"] += 2.0
    says(found(tmp_path, rows, Service(lambda place, took_s: seen[place]), args), answer, words)


def test_a_quick_service_in_the_wrong_unit_shows_once_its_answers_are_slow(tmp_path):
    """Kiloseconds: all in the lowest bucket. With answers of 20 ms nobody can tell, with 2 s it shows."""
    thousandth = Service(lambda place, took_s: took_s / 1000)
    says(found(tmp_path / "quick", requests(), thousandth), "pass", "")
    slow = found(tmp_path / "slow", requests(took_s=2.0, end=110), thousandth)
    says(slow, "fail", "does not see what they waited for")


def test_requests_of_unknown_outcome_may_have_been_observed_at_any_length(tmp_path):
    lost = requests(10, outcome="unknown")
    for row in lost:
        row["at"] += 0.01
    rows = sorted(requests() + lost, key=lambda row: row["at"])
    places = {place for place, row in enumerate(rows) if row["outcome"] == "unknown"}
    for name, observes in (
        ("none", lambda place, took_s: None if place in places else took_s),
        ("long", lambda place, took_s: 4.0 if place in places else took_s),
    ):
        says(found(tmp_path / name, rows, Service(observes)), "pass", "10 of which nobody knows")
    says(found(tmp_path / "less", rows, Service(lambda place, took_s: None if place < 20 else took_s)), "fail",
         "clients account for 600 to 610")  # fmt: skip


def test_what_is_not_counted_is_not_looked_for(tmp_path):
    rows = requests() + requests(30, kind="oversize", status=413)
    service = Service(lambda place, took_s: None if place >= 600 else took_s)
    says(found(tmp_path, rows, service), "pass", "600 observed")
    everything = found(tmp_path / "all", rows)
    says(everything, "fail", "630 observations, clients account for 600")


def test_a_phase_is_compared_between_the_scrapes_around_it(tmp_path):
    rows = requests()
    late = Service(lambda place, took_s: took_s if rows[place]["at"] < 61 else 1000 * took_s)
    says(found(tmp_path / "first", rows, late, {"in": "baseline"}), "pass", "")
    says(found(tmp_path / "second", rows, late, {"in": "trouble"}), "fail", "took longer than it did")


def test_what_a_killed_service_took_with_it_is_not_missed(tmp_path):
    """It dies at 60.2 s and starts anew at 62 s: its counts begin at 0, and what came since 59.5 s is gone."""
    rows = [row for row in requests(1190) if not 60.2 <= row["at"] < 62]
    old = [row for row in rows if row["at"] < 60.2]
    new = [row for row in rows if row["at"] >= 62]
    before, after = histogram(old, GOOD), histogram(new, GOOD)
    series = {
        key: [one for one in before[key] if one[0] < 60.2] + [one for one in after[key] if one[0] > 62]
        for key in before
    }
    kill = fault(
        "killed", "kill", "trouble", params={"role": "model"}, injected=60.2, effective=60.2, healed=62, gone=62
    )
    result = ask("latency/metric_agrees", tmp_path, {}, requests=rows, series=series, run=RUN, faults=[kill])
    says(result, "pass", "answered")
    unplanned = ask("latency/metric_agrees", tmp_path / "u", {}, requests=rows, series=series, run=RUN)
    says(unplanned, "fail", "fell without a planned restart")


def test_without_a_histogram_nobody_knows(tmp_path):
    rows = requests(60)
    nothing = {"kinds": KINDS, "signals": SIGNALS}
    says(found(tmp_path / "a", rows, run=nothing), "unknown", "declares no latency histogram")
    bare = ask("latency/metric_agrees", tmp_path / "b", {}, requests=rows, run=RUN)
    says(bare, "unknown", "No histogram latency_seconds with buckets was scraped")
    says(found(tmp_path / "c", []), "unknown", "nothing to compare")
    series = {key: [one for one in line if one[0] < 100] for key, line in histogram(rows, GOOD).items()}
    early = ask("latency/metric_agrees", tmp_path / "d", {}, requests=rows, series=series, run=RUN)
    says(early, "unknown", "not scraped after the last request")
