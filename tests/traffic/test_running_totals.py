import numpy as np
import pytest

from tocsin.harness.evidence.requests import ANSWERED, DROPPED, FAILED, RECORD, UNKNOWN, RequestBuffer
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange, RecordWriter
from tocsin.harness.traffic.locust.running_totals import RunningTotals
from tocsin.harness.traffic.request_schedule import Due


class Kept(RequestBuffer):
    def __init__(self):
        super().__init__()
        self.parts = []

    def _write(self, rows):
        self.parts.append(rows)


def rows(*given):
    made = np.zeros(len(given), RECORD)
    for row, (outcome, status, latency_s) in zip(made, given, strict=True):
        row["outcome"], row["status"], row["done"] = outcome, status, latency_s
    return made


def test_totals_count_outcomes_and_what_is_under_way_is_sent():
    totals = RunningTotals()
    totals.take(rows((ANSWERED, 200, 0.1), (ANSWERED, 503, 0.1), (FAILED, 0, 0), (UNKNOWN, 0, 1), (DROPPED, 0, np.nan)))
    assert totals.totals(in_flight=3) == {
        "sent": 7, "answered": 2, "failed": 1, "unknown": 1, "dropped": 1, "errors_5xx": 1,
    }  # fmt: skip


def test_a_rate_is_that_since_the_last_one():
    totals = RunningTotals()
    totals.take(rows(*[(ANSWERED, 200, 0.001 * n) for n in range(1, 101)]))
    first = totals.rate(10.0, 0)
    assert (first["sent_per_s"], first["latency_ms_p50"], first["latency_ms_p99"]) == (0.0, 51.0, 100.0)
    totals.take(rows((ANSWERED, 200, 0.5), (ANSWERED, 200, 0.5)))
    second = totals.rate(12.0, 4)
    assert (second["sent_per_s"], second["latency_ms_p50"], second["answered"]) == (3.0, 500.0, 102)
    assert "latency_ms_p50" not in totals.rate(13.0, 4), "nothing was answered: no latency"


def test_the_writer_keeps_ids_and_times_as_they_are():
    kept = Kept()
    writer = RecordWriter("drill", 3, kept)
    writer.start = 100.0
    writer.record(Due(1.5, 42, 2, 0, b"{}"), Exchange(ANSWERED, 201, 101.6, 101.7, 101.8))
    writer.record(Due(2.5, 43, 0, 0, b"{}"), NEVER_SENT)
    writer.record_as("drill-3-43.1", 7, Exchange(FAILED, 0, 1.0, np.nan, 2.0), intended=0.5)
    kept.flush()
    [part] = kept.parts
    assert part[0].tolist() == (b"drill-3-42", 2, ANSWERED, 201, 3, 101.5, 101.6, 101.7, 101.8)
    assert part["id"].tolist() == [b"drill-3-42", b"drill-3-43", b"drill-3-43.1"]
    assert part["outcome"].tolist() == [ANSWERED, DROPPED, FAILED] and np.isnan(part["sent"][1])


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (4096, [4096]), (10_000, [4096, 4096, 1808])])
def test_a_buffer_hands_rows_on_in_blocks_and_keeps_none(count, sizes):
    kept, heard = Kept(), []
    kept.listeners.append(heard.append)
    for index in range(count):
        kept.pack(b"a-1-%d" % index, 0, 0, 200, 1, float(index), 0.0, 0.0, 0.0)
    kept.flush()
    assert [len(part) for part in kept.parts] == [len(part) for part in heard] == sizes
    assert np.concatenate([np.empty(0, RECORD), *kept.parts])["intended"].tolist() == list(range(count))
