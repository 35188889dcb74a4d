import re

import numpy as np
import pytest

from tests.collectors.servers import Rig, eventually, serving
from tests.fake_clock import FakeClock
from tocsin.harness.collectors.metrics import MetricsCollector
from tocsin.harness.core.clock import parse_duration
from tocsin.harness.evidence.metrics import Metrics as Recorded

NOW = 1_000_000.0
STEP = 0.5


class FakePrometheus:
    """Holds `up` and `x_total` of one job, a sample each 0.5 s for ever; `down` makes it answer 500."""

    def __init__(self):
        self.down = False
        self.interval = "5ms"
        self.asked = []
        self.vector = []

    def __call__(self, method, path, given):
        if self.down:
            return 500, {"status": "error"}
        if path == "/api/v1/targets":
            return 200, {"data": {"activeTargets": [{"scrapeInterval": "1ms"}, {"scrapeInterval": self.interval}]}}
        ranged = re.search(r"\[(.+)\]$", given["query"])
        return 200, {"data": {"result": self._matrix(given, parse_duration(ranged[1])) if ranged else self.vector}}

    def _matrix(self, given, seconds):
        end = float(given["time"])
        self.asked.append((end - seconds, end))
        t = np.arange(np.ceil((end - seconds) / STEP), np.floor(end / STEP) + 1) * STEP
        series = [("up", [1.0] * len(t)), ("x_total", t.tolist()), ("odd", [float("inf")] * len(t))]
        return [
            {"metric": {"__name__": name, "job": "a"}, "values": [[a, f"{b:+}"] for a, b in zip(t, v, strict=True)]}
            for name, v in series
        ] + [{"metric": {"__name__": "native"}, "histograms": []}]


@pytest.fixture
def prometheus():
    return FakePrometheus()


@pytest.fixture
def rig(tmp_path, prometheus):
    with serving(prometheus) as server:
        yield Rig(tmp_path, {"prometheus": server.address}, clock=FakeClock(start=NOW))


def samples(rig):
    return Recorded.read(rig.folder / "metrics")


def test_every_sample_is_recorded_once(rig):
    collector = rig.start(MetricsCollector(every_s=0.02))
    for _ in range(5):
        done = collector.samples
        rig.run.clock.sleep(7.3)
        eventually(lambda done=done: collector.samples > done)
    rig.run.clock.sleep(1.2)
    written = rig.collect(collector)
    (x,) = samples(rig).select("x_total")
    assert np.allclose(np.diff(x.t), STEP)
    assert x.t[0] <= NOW - 60
    assert x.t[-1] >= NOW + 37.5
    assert x.t.tolist() == x.v.tolist()
    assert written > 3 * len(x.t)  # overlaps are written twice
    assert samples(rig).select("odd")[0].v[0] == np.inf


def test_pieces_stay_small_and_overlap_by_a_scrape(rig, prometheus):
    prometheus.interval = "500ms"
    collector = rig.start(MetricsCollector(every_s=0.02, piece_s=10))
    eventually(lambda: prometheus.asked and prometheus.asked[-1][1] >= NOW)
    rig.collect(collector)
    assert all(end - start <= 10 + 0.5 + 1 + 0.01 for start, end in prometheus.asked)
    for (_, before), (after, _) in zip(prometheus.asked, prometheus.asked[1:], strict=False):
        assert after <= before - 0.5


def test_what_an_outage_hid_is_caught_up_with(rig, prometheus):
    collector = rig.start(MetricsCollector(every_s=0.02, piece_s=10))
    eventually(lambda: collector.samples)
    prometheus.down = True
    rig.run.clock.sleep(100)
    eventually(lambda: rig.facts("stream_lost"))
    prometheus.down = False
    eventually(lambda: rig.facts("stream_back"))
    rig.collect(collector)
    (x,) = samples(rig).select("x_total")
    assert np.allclose(np.diff(x.t), STEP)
    assert x.t[-1] == NOW + 100
    assert "500" in rig.facts("stream_lost")[0]["detail"]
    assert len(rig.facts("stream_lost")) == 1


def test_what_is_brought_at_the_end_was_not_lost(rig, prometheus):
    prometheus.down = True
    collector = rig.start(MetricsCollector(every_s=60))
    eventually(lambda: rig.facts("stream_lost"))
    prometheus.down = False
    assert rig.collect(collector) > 0
    assert [fact["stream"] for fact in rig.facts("stream_back")] == ["metrics"]


@pytest.mark.parametrize("dead_from", ["the start", "the end"])
def test_a_dead_prometheus_is_noted_and_raises_nothing(tmp_path, prometheus, dead_from):
    rig = Rig(tmp_path, {}, clock=FakeClock(start=NOW))
    with serving(prometheus) as server:
        if dead_from == "the end":
            rig.addresses["prometheus"] = server.address
        collector = rig.start(MetricsCollector(every_s=60))
        if dead_from == "the end":
            eventually(lambda: collector.samples)
        else:
            eventually(lambda: rig.facts("stream_lost"))
    rig.run.clock.sleep(5)
    assert (rig.collect(collector) > 0) is (dead_from == "the end")
    assert rig.facts("stream_lost")[-1]["stream"] == "metrics"


def ups(**jobs):
    return [{"metric": {"job": job.replace("_", "-")}, "value": [NOW, str(value)]} for job, value in jobs.items()]


@pytest.mark.parametrize(
    ("vector", "seen", "state"),
    [
        (ups(ml_inference=1, prometheus=1), True, "up is 1 for every job"),
        (ups(ml_inference=0, prometheus=1), False, "up is 0 for job ml-inference"),
        (ups(ml_inference=1), False, "job prometheus has no up"),
        (ups(ml_inference=1, prometheus=1) + ups(prometheus=0), False, "up is 0 for job prometheus"),
        ([], False, "job ml-inference has no up; job prometheus has no up"),
    ],
)
def test_the_canary_is_up_of_every_job(rig, prometheus, vector, seen, state):
    collector = rig.start(MetricsCollector(every_s=60))
    prometheus.vector = vector
    assert collector.seen_canary(rig.live, rig.run) == (seen, state)
    collector.stop()


@pytest.mark.parametrize(
    ("vector", "done", "state"),
    [
        (ups(ml_inference=NOW + 0.1, prometheus=NOW + 0.3), True, "every job was scraped since"),
        (ups(ml_inference=NOW - 2, prometheus=NOW + 0.3), False, "ml-inference was last scraped 2.0 s before"),
        (ups(ml_inference=NOW + 0.1), False, "job prometheus has no up"),
    ],
)
def test_caught_up_is_a_scrape_of_every_job_since(rig, prometheus, vector, done, state):
    collector = rig.start(MetricsCollector(every_s=60))
    prometheus.vector = vector
    assert collector.caught_up(rig.live, rig.run, NOW) == (done, state)
    collector.stop()


def test_an_error_is_an_answer_in_words(rig, prometheus):
    collector = rig.start(MetricsCollector(every_s=60))
    prometheus.down = True
    for done, state in (collector.seen_canary(rig.live, rig.run), collector.caught_up(rig.live, rig.run, NOW)):
        assert not done
        assert "500" in state
    collector.stop()
