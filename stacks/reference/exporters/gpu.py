"""Exports GPU metrics under the names of NVIDIA's DCGM exporter: `python -m exporters.gpu --port 9400 --simulate 1`.

Real devices are read through NVML where its library is. Simulated ones come on top and are labelled simulated="true";
only these can be given faults, and only when started for drills (drills.py).
Each source is polled in a thread of its own, because a call into the driver can block: then the last values are served
with a sample age that grows.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

from exporters import drills, nvml, simulated
from exporters.fields import COUNTERS, FIELDS, LABELS, Sample
from exporters.serve import serve

POLL_INTERVAL_S = 1.0
Read = Callable[[], list[Sample]]


class Poller:
    """Calls `read` every POLL_INTERVAL_S in a daemon thread and keeps what it returned last."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.samples: list[Sample] = read()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(POLL_INTERVAL_S)
            try:
                self.samples = self._read()
            except Exception as error:  # the age of the samples shows that they stand still
                print(f"gpu poll: {type(error).__name__}: {error}", file=sys.stderr)


class GpuCollector(Collector):
    """Exports the newest sample of each device; `samples` returns them, `now` is epoch seconds."""

    def __init__(self, samples: Callable[[], list[Sample]], now: Callable[[], float] = time.time) -> None:
        self._samples = samples
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield one family per DCGM field that some device supports, then the times of the samples."""
        samples, now_s = self._samples(), self._now()
        for field, text in FIELDS.items():
            make = UnknownMetricFamily if field in COUNTERS else GaugeMetricFamily  # DCGM's counters lack `_total`
            family = make(field, text, labels=LABELS)
            for sample in samples:
                if field in sample.values:
                    family.add_metric(sample.label_values(), sample.values[field])
            if family.samples:
                yield family
        read = GaugeMetricFamily("gpu_sample_timestamp_seconds", "When the device was last read.", labels=LABELS)
        age = GaugeMetricFamily("gpu_sample_age_seconds", "How long ago the device was last read.", labels=LABELS)
        for sample in samples:
            read.add_metric(sample.label_values(), sample.read_s)
            age.add_metric(sample.label_values(), max(now_s - sample.read_s, 0.0))
        yield read
        yield age


def sources(simulate: int) -> list[Read]:
    """Return what can be read here: NVML if it finds a device, and `simulate` simulated devices."""
    readers: list[Read] = []
    first = 0
    real = nvml.open_reader()
    if real is not None:
        readers.append(real.read)
        first = real.count
    if simulate:
        readers.append(simulated.Simulator(simulate, first=first).read)
    return readers


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m exporters.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--simulate", type=int, default=0, metavar="N", help="export N healthy simulated devices")
    options = parser.parse_args(argv)
    pollers = [Poller(read) for read in sources(options.simulate)]
    registry = CollectorRegistry()
    switches = drills.Switches(simulated.FAULTS) if drills.wanted() else None
    on = switches or drills.Switches()

    def samples() -> list[Sample]:
        return simulated.altered([sample for poller in pollers for sample in poller.samples], on.on)

    registry.register(GpuCollector(samples))
    return serve(registry, options.port, switches)


if __name__ == "__main__":
    raise SystemExit(main())
