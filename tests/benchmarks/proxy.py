"""The proxy on an edge beside toxiproxy: `make bench-proxy`.

nginx and who asks it have one core, the proxy the other. Medians over the runs, with the lowest and highest. The last
line is one JSON object. toxiproxy is built with Go into `build/benchmarks` where there is a Go; else it is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import programs
from tests.benchmarks.servers import Nginx
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.sidecars.proxy.edge_control import call_control

EDGE = "prometheus -> model"
TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
_DELAYS_MS = (20.0, 100.0, 200.0)
_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
Slow = Callable[[float], None]
"""Sets the delay of an edge in milliseconds."""


def asked_ms(address: str, count: int) -> list[float]:
    """Return how long each of `count` requests took, one after the other on one connection, in milliseconds."""
    host, _, port = address.rpartition(":")
    took = []
    with socket.create_connection((host, int(port)), timeout=10) as call:
        call.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            call.sendall(_REQUEST)
            if not call.recv(65_536):
                raise SystemExit(f"{address} closed the connection.")
            took.append(1000 * (time.perf_counter() - began))
    return took


@contextmanager
def ours(target: str, core: int) -> Iterator[tuple[str, Slow]]:
    """Our proxy before `target`, pinned."""
    listen, control = choose_ports(2)
    argv = [
        sys.executable,
        "-m",
        "tocsin.harness.sidecars.proxy",
        "--control",
        str(control),
        "--edge",
        EDGE,
        str(listen),
        target,
    ]
    with _process(argv, core, control):
        yield f"127.0.0.1:{listen}", lambda ms: call_control(f"127.0.0.1:{control}", EDGE, {"delay_ms": ms}) and None


@contextmanager
def toxiproxy(binary: Path, target: str, core: int) -> Iterator[tuple[str, Slow]]:
    """Toxiproxy before `target`, pinned."""
    listen, control = choose_ports(2)
    with _process([str(binary), "-port", str(control), "-host", "127.0.0.1"], core, control):
        at = f"http://127.0.0.1:{control}/proxies"
        _post(at, {"name": "edge", "listen": f"127.0.0.1:{listen}", "upstream": target, "enabled": True})
        _post(f"{at}/edge/toxics", {"name": "slow", "type": "latency", "stream": "upstream", "attributes": {}})
        latency = f"{at}/edge/toxics/slow"
        yield f"127.0.0.1:{listen}", lambda ms: _post(latency, {"attributes": {"latency": int(ms)}})


def _post(url: str, content: Mapping[str, object]) -> None:
    call = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(call, timeout=5).close()


@contextmanager
def _process(argv: Sequence[str], core: int, port: int) -> Iterator[None]:
    pin = lambda: os.sched_setaffinity(0, {core})  # noqa: E731 - what Popen is to call
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv, preexec_fn=pin, stdout=output, stderr=output, env={**os.environ, "GOMAXPROCS": "1"}
        )
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit(f"{argv[0]} did not start.") from None
                    time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(5)


def built_toxiproxy() -> Path | None:
    """Return toxiproxy's server: from the PATH, from before, or built now; None without a Go."""
    known, go = shutil.which("toxiproxy-server"), shutil.which("go")
    place = programs.PLACE / "toxiproxy" / "server"
    if known:
        return Path(known)
    if not place.is_file() and go:
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([go, "install", TOXIPROXY], env={**os.environ, "GOBIN": str(place.parent)}, check=False)
    return place if place.is_file() else None


def forwarded_per_s(address: str, seconds: float, core: int) -> float:
    """Return the requests per second that wrk gets answered over 20 connections."""
    wrk = programs.find("wrk")
    if wrk is None:
        raise SystemExit("wrk is needed and could not be fetched; put one on the PATH.")
    argv = ["taskset", "-c", str(core), str(wrk), "-t1", "-c20", f"-d{seconds:g}s", f"http://{address}/"]
    told = subprocess.run(argv, env=programs.environment(), capture_output=True, text=True, check=True).stdout
    return next(float(line.split()[1]) for line in told.splitlines() if line.startswith("Requests/sec"))


def measure(direct: str, proxied: str, slow: Slow, *, runs: int, seconds: float, core: int) -> dict[str, list[float]]:
    """Return the figures of one proxy, each once per run."""
    figures: dict[str, list[float]] = {"added_ms_p50": [], "forwarded_per_s": [], "delay_error_ms": []}
    for _ in range(runs):
        without, over = statistics.median(asked_ms(direct, 3000)), statistics.median(asked_ms(proxied, 3000))
        figures["added_ms_p50"].append(over - without)
        figures["forwarded_per_s"].append(forwarded_per_s(proxied, seconds, core))
        worst = 0.0
        for delay_ms in _DELAYS_MS:
            slow(delay_ms)
            asked_ms(proxied, 1)
            took = [one - without - delay_ms for one in asked_ms(proxied, 20)]
            worst = max(worst, *(abs(one) for one in took))
        slow(0.0)
        figures["delay_error_ms"].append(worst)
    return figures


def main() -> int:
    """Measure, print the table and the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("Two cores are needed, one for the server and one for the proxy.")
    os.sched_setaffinity(0, {cores[0]})
    found: dict[str, dict[str, float]] = {}
    print(f"{'':12}{'added at the median, ms':>30}{'forwarded, requests/s':>34}{'delay off by at most, ms':>30}")
    with tempfile.TemporaryDirectory() as work:
        server = Nginx(Path(work), cores[0])
        try:
            peers = {"tocsin": lambda: ours(server.address, cores[1])}
            if binary := built_toxiproxy():
                peers["toxiproxy"] = lambda: toxiproxy(binary, server.address, cores[1])
            for name, peer in peers.items():
                with peer() as (address, slow):
                    seen = measure(
                        server.address, address, slow, runs=options.runs, seconds=options.seconds, core=cores[0]
                    )
                found[name] = {figure: round(statistics.median(values), 3) for figure, values in seen.items()}
                told = [f"{statistics.median(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in seen.values()]
                print(f"{name:12}{told[0]:>30}{told[1]:>34}{told[2]:>30}", flush=True)
        finally:
            server.close()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
