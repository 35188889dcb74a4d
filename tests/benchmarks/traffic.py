"""The traffic engine beside k6, wrk, hey and Locust itself: `make bench-traffic`.

A C server that does nothing (nginx) has one core, every generator the other, one after the other. Medians over the
runs, with the lowest and highest. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import generators, programs
from tests.benchmarks.freeze import conform
from tests.benchmarks.generators import ALL, OVERLOAD, START, Sample, observe, pinned, plan, tocsin
from tests.benchmarks.servers import Nginx
from tocsin.harness.evidence.requests import ANSWERED, read_requests

_RATES = (5_000, 20_000)
_MILLIONS = (1, 10)


class Bench:
    """One benchmark: `runs` of `seconds` each."""

    def __init__(self, work: Path, *, runs: int, seconds: float, millions: Sequence[int]) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("Two cores are needed, one for the server and one for the generator.")
        self._server_core, self._core = cores[:2]
        self._work, self._runs, self._seconds, self._millions = work, runs, seconds, millions
        self._places = iter(range(10**6))

    def rates(self) -> dict[str, Sample]:
        """Return what each generator makes, name -> median; print the table."""
        print(f"{'generator':38}{'loop':8}{'requests/s':>22}{'per CPU second':>26}")
        medians = {}
        with self._server(self._server_core) as server:
            for generator in ALL:
                program = Path(generator.argv(server.address, self._place())[0])
                if not program.is_file():
                    print(f"{generator.name:38}{generator.loop:8}{'not here':>22}")
                    continue
                seen = self._repeat(lambda g=generator: g.measure(server, self._place(), self._core, self._seconds))
                rps, per_cpu_s = [one.rps for one in seen], [one.rps_per_cpu_s for one in seen]
                medians[generator.name] = Sample(statistics.median(rps), statistics.median(per_cpu_s))
                print(f"{generator.name:38}{generator.loop:8}{_spread(rps):>22}{_spread(per_cpu_s):>26}", flush=True)
        return medians

    def schedule_errors(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return, rate -> ms at p99, our schedule error and the timer error of a bare loop, run in turns."""
        ours: dict[str, float] = {}
        bare: dict[str, float] = {}
        print("\nerror of the send time, ms at p99 (open loop, Poisson)")
        with self._server(self._server_core) as server:
            for rate in _RATES:
                pairs = self._repeat(lambda r=rate: (self._bare_ms(r), self._schedule_error_ms(server, r)))
                bare[str(rate)], ours[str(rate)] = (statistics.median(one) for one in zip(*pairs, strict=True))
                print(f"  {rate:>6}/s   ours {_spread([b for _, b in pairs], 2):>22}   bare loop "
                      f"{_spread([a for a, _ in pairs], 2):>22}", flush=True)  # fmt: skip
        return ours, bare

    def two_workers(self) -> float:
        """Return the requests per second of two workers over those of one, on both cores with the server."""
        with self._server(None) as server:
            seen = {count: self._repeat(lambda c=count: self._crew(server, c)) for count in (1, 2)}
        one, two = (statistics.median(sample.rps for sample in seen[count]) for count in (1, 2))
        busy = statistics.median(sample.cores for sample in seen[1])
        print(
            f"\ntwo workers, server on the same two cores: {two:.0f}/s, one: {one:.0f}/s, {two / one:.2f}x\n"
            f"(one and the server keep {busy:.2f} of 2 cores busy, so {2 / busy:.2f}x is all there can be)",
            flush=True,
        )
        return two / one

    def freezes(self) -> dict[str, dict[str, float]]:
        """Return client -> what the record shows of a frozen server."""
        found = {}
        print("\nserver frozen for 6 of 10 s at 500/s")
        for client in ("keepalive", "fasthttp"):
            with self._server(self._server_core) as server:
                seen = conform(server, self._place(), self._core, client)
            found[client] = {name: round(value, 2) for name, value in seen.items()}
            print(
                f"  {client:10} median {seen['median_ms']:.0f} ms, {seen['answered']:.0f} of {seen['asked']:.0f}"
                f" answered, waited {seen['waited_s']:.0f} s, expected {seen['expected_s']:.0f} s"
                f" ({seen['off_percent']:+.2f} %), drained at {seen['drain_per_s']:.0f}/s",
                flush=True,
            )
        return found

    def records(self) -> dict[str, float]:
        """Return what records cost: memory, time per record, time of a summary."""
        found: dict[str, float] = {}
        print("\nrecords")
        for millions in self._millions:
            folder = self._place() / "requests"
            wrote = self._records("write", str(folder), str(millions * 1_000_000))
            summed = self._records("sum", str(folder))
            found[f"write_anonymous_mib_{millions}m"] = wrote["anonymous_mib"]
            found[f"summary_anonymous_mib_{millions}m"] = summed["anonymous_mib"]
            found[f"summary_s_{millions}m"] = summed["seconds"]
            print(
                f"  {millions:>3} million: written with {wrote['anonymous_mib']:.1f} MiB anonymous memory,"
                f" {wrote['us_per_record']:.2f} us each; summed up in {summed['seconds']:.2f} s"
                f" with {summed['anonymous_mib']:.1f} MiB",
                flush=True,
            )
            (folder / "1.npy").unlink()
        return {name: round(value, 2) for name, value in found.items()}

    def _records(self, *arguments: str) -> dict[str, float]:
        argv = [sys.executable, "-m", "tests.benchmarks.records", *arguments]
        said: dict[str, float] = json.loads(subprocess.run(argv, capture_output=True, check=True, text=True).stdout)
        return said

    def _crew(self, server: Nginx, workers: int) -> Sample:
        before, place = server.requests(), self._place()
        argvs = [
            tocsin(90_000, worker=number, workers=workers, **OVERLOAD)(server.address, place)
            for number in range(1, workers + 1)
        ]
        processes = [pinned(argv, {self._server_core, self._core}) for argv in argvs]
        return observe(server, processes, before, self._seconds, START)

    def _schedule_error_ms(self, server: Nginx, rate: int) -> float:
        place = self._place()
        path = plan(server.address, place, rate_per_s=rate, seconds=self._seconds)
        process = pinned([sys.executable, "-m", "tocsin.harness.traffic.locust", str(path)], {self._core})
        assert process.stdin and process.stdout
        process.stdout.readline()
        process.stdin.write(START % (time.time() + 0.3))
        process.stdin.flush()
        process.stdout.read()
        generators.end(process)
        rows = read_requests(place / "requests")
        rows = rows[rows["outcome"] == ANSWERED]
        return 1000 * float(np.quantile(rows["sent"] - rows["intended"], 0.99))

    def _bare_ms(self, rate: int) -> float:
        argv = [sys.executable, "-m", "tests.benchmarks.bare_loop", str(rate), str(self._seconds)]
        said, _ = pinned(argv, {self._core}).communicate()
        return float(said)

    def _repeat(self, run: Callable[[], Any]) -> list[Any]:
        return [run() for _ in range(self._runs)]

    def _server(self, core: int | None) -> Any:
        return _Closing(Nginx(self._place(), core))

    def _place(self) -> Path:
        place = self._work / str(next(self._places))
        place.mkdir()
        return place


class _Closing:
    def __init__(self, server: Nginx) -> None:
        self._server = server

    def __enter__(self) -> Nginx:
        return self._server

    def __exit__(self, *exception: object) -> None:
        self._server.close()


def _spread(values: Sequence[float], digits: int = 0) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def main() -> None:
    """Measure everything, print it, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each, for development")
    quick = parser.parse_args().quick
    what = "one run" if quick else "median of 5 runs (lowest-highest)"
    print(f"{what}; load average {os.getloadavg()[0]:.1f} at the start")
    for name in ("k6", "hey", "wrk"):
        programs.find(name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        bench = Bench(
            Path(folder), runs=1 if quick else 5, seconds=1.5 if quick else 3, millions=(1,) if quick else _MILLIONS
        )
        rates = bench.rates()
        ours, bare = bench.schedule_errors()
        more = {"two_workers": round(bench.two_workers(), 2), "freeze": bench.freezes(), "records": bench.records()}
    print(f"\ntook {time.monotonic() - began:.0f} s; load average {os.getloadavg()[0]:.1f} at the end")
    best = rates["tocsin, more asked than a core can"]
    each = {"vs_fasthttpuser": "Locust FastHttpUser", "vs_httpuser": "Locust HttpUser", "vs_k6": "k6"}
    ratios = {
        key: round(best.rps_per_cpu_s / rates[name].rps_per_cpu_s, 2) for key, name in each.items() if name in rates
    }
    whole = {
        "rps_per_core": round(best.rps),
        "rps_per_cpu_second": round(best.rps_per_cpu_s),
        **ratios,
        "schedule_error_p99_ms": {rate: round(value, 3) for rate, value in ours.items()},
        "bare_loop_p99_ms": {rate: round(value, 3) for rate, value in bare.items()},
        **more,
    }
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
