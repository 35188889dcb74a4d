import numpy as np
import pytest

from tests.benchmarks.latency_histogram import LARGEST_ERROR, Histogram, chunks, summarise
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.core.statistics import quantile
from tocsin.harness.evidence.requests import DROPPED, KINDS, RECORD, UNKNOWN

SHARES = (0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)


def histogram(*parts):
    made = Histogram()
    for part in parts:
        made.add(np.asarray(part, dtype=float))
    return made


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).lognormal(-6, 2, 20_000),
        np.random.default_rng(1).exponential(0.001, 20_000),
        np.geomspace(1.001e-6, 9e5, 20_001),
        np.array([0.2]),
        1e-6 * np.exp(2 * np.log1p(0.00099) * np.arange(1, 5000)),  # on the very bounds of the bins
    ],
)
def test_no_quantile_is_more_than_a_thousandth_off(values):
    found = histogram(values)
    for share in SHARES:
        assert found.quantile(share) == pytest.approx(quantile(values.tolist(), share), rel=LARGEST_ERROR)
    assert (found.count, found.min, found.max) == (len(values), values.min(), values.max())
    assert found.sum == pytest.approx(values.sum())


def test_the_ends_are_exact_and_nothing_counts_as_zero():
    found = histogram([-0.001, 0.0, 0.5, 3e7])
    assert [found.quantile(share) for share in (0.5, 1.0)] == [0.0, 3e7]
    assert found.min == -0.001 and found.quantile(0.75) == pytest.approx(0.5, rel=LARGEST_ERROR)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_what_has_no_quantile_is_refused(share):
    with pytest.raises(ValueError):
        Histogram().quantile(0.5)
    with pytest.raises(ValueError):
        histogram([1.0]).quantile(share)
    with pytest.raises(ValueError):
        histogram([np.nan])


def records(count, **fields):
    rows = np.zeros(count, RECORD)
    at = 1000.25 + np.arange(count) * 0.5
    values = {"id": b"r", "worker": 1, "status": 200, "intended": at, "sent": at + 0.002, "done": at + 0.012, **fields}
    for name, value in values.items():
        rows[name] = value
    return rows


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, rows in files.items():
            np.save(tmp_path / f"{name}.npy", rows)
        return tmp_path

    return write


def test_a_summary_counts_every_row_once(folder):
    lost = records(3, outcome=UNKNOWN, status=0, done=np.nan)
    dropped = records(2, outcome=DROPPED, status=0, sent=np.nan, done=np.nan)
    failing = records(5, status=503, worker=2, kind=KINDS.index("shifted"))
    canaries = records(7, worker=0, kind=KINDS.index("canary"), done=np.nan)
    found = summarise(folder(a=np.concatenate([records(10), lost]), b=np.concatenate([dropped, failing]), c=canaries))
    assert found.count == 27
    assert found.outcomes == {"answered": 22, "unknown": 3, "dropped": 2}
    assert found.kinds == {"normal": 15, "canary": 7, "shifted": 5}
    assert found.statuses == {0: 5, 200: 17, 503: 5} and found.workers == {0: 7, 1: 15, 2: 5}
    assert found.latency.count == 15 and found.schedule_error.count == 18  # no canary; what was sent
    assert found.latency.quantile(0.5) == pytest.approx(0.012, rel=1e-3)
    assert found.schedule_error.quantile(1.0) == pytest.approx(0.002, abs=1e-9)
    assert found.start_s == 1000 and found.per_s.tolist() == [6, 5, 3, 2, 2]


def test_chunks_make_no_difference(folder, monkeypatch):
    rows = records(1000, sent=1000 + np.random.default_rng(0).random(1000) * 30)
    where = folder(a=rows[:700], b=rows[700:])
    assert [len(part) for part in chunks(where, 300)] == [300, 300, 100, 300]
    whole = summarise(where)
    monkeypatch.setattr("tests.benchmarks.latency_histogram.chunks", lambda folder: chunks(folder, 7))
    small = summarise(where)
    assert (small.count, small.per_s.tolist()) == (whole.count, whole.per_s.tolist())
    assert small.latency.quantile(0.99) == whole.latency.quantile(0.99)


def test_seconds_far_apart_cost_no_memory(folder):
    found = summarise(folder(a=records(2, sent=[1000.0, 2_000_000.0], intended=[1000.0, 2_000_000.0])))
    assert found.per_s.sum() == 2 and found.per_s[0] == found.per_s[-1] == 1


def test_a_torn_tail_is_left_out_and_a_torn_header_holds_nothing(folder):
    where = folder(a=records(5), b=records(5))
    whole = (where / "a.npy").read_bytes()
    (where / "a.npy").write_bytes(whole[:-1])
    (where / "b.npy").write_bytes(whole[:20])
    assert summarise(where).count == 4


def test_nothing_is_a_summary_of_nothing(tmp_path):
    found = summarise(tmp_path)
    assert (found.count, found.outcomes, found.latency.count, len(found.per_s)) == (0, {}, 0, 0)


def test_what_holds_no_records_is_refused(folder):
    with pytest.raises(EvidenceError, match="does not hold request records"):
        summarise(folder(a=np.zeros(3)))
