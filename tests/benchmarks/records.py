"""Writes millions of request records as the traffic process does, and says what that took.

python -m tests.benchmarks.records write FOLDER COUNT     anonymous memory at the end, MiB, and microseconds per record
python -m tests.benchmarks.records sum FOLDER             seconds for the summary, and anonymous memory, MiB
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.latency_histogram import summarise
from tocsin.harness.evidence.requests import RequestWriter


def anonymous_mib() -> float:
    """Return the memory of this process that no file stands behind: memory-mapped pages do not count."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Anonymous:"))


def write(folder: Path, count: int) -> dict[str, float]:
    """Write `count` records, with a flush each 12 500, as at 25 000 a second."""
    from tocsin.harness.traffic.locust.running_totals import RunningTotals

    writer, totals = RequestWriter(folder / "1.npy"), RunningTotals()
    writer.listeners.append(totals.take)
    waits = np.random.default_rng(0).exponential(0.005, 10_000).tolist()
    began = time.perf_counter()
    for index in range(count):
        intended = 1.7e9 + index / 25_000
        done = intended + waits[index % 10_000]
        writer.pack(b"bench-1-%d" % index, 0, 0, 200, 1, intended, intended, done, done)
        if index % 12_500 == 0:
            writer.flush()
        if index % 25_000 == 0:
            totals.rate(intended, 0)
    writer.close()
    return {"anonymous_mib": anonymous_mib(), "us_per_record": 1e6 * (time.perf_counter() - began) / count}


def summarised(folder: Path) -> dict[str, float]:
    """Sum the records up."""
    began = time.perf_counter()
    summary = summarise(folder)
    took_s = time.perf_counter() - began
    return {"seconds": took_s, "count": float(summary.count), "anonymous_mib": anonymous_mib()}


if __name__ == "__main__":
    verb, folder = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(write(folder, int(sys.argv[3])) if verb == "write" else summarised(folder)))
