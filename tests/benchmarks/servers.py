"""The null server of the benchmark: nginx, which answers at once, pinned to a core of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import psutil

from tests.benchmarks import programs

_CONFIGURATION = """
worker_processes 1; daemon off; pid {work}/nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{{"prediction": 1}}'; }}
    location = /requests {{ stub_status; }}
  }}
}}
"""


class Nginx:
    """Answers every request with 17 bytes of JSON. `core` is the processor it may use, None: any."""

    def __init__(self, work: Path, core: int | None) -> None:
        binary = programs.find("nginx")
        if binary is None:
            raise SystemExit("nginx is needed and could not be fetched; put one on the PATH.")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        (work / "logs").mkdir(parents=True, exist_ok=True)
        work.chmod(0o755)
        (work / "nginx.conf").write_text(_CONFIGURATION.format(work=work, port=port))
        argv = [str(binary), "-p", str(work), "-c", str(work / "nginx.conf")]
        pin = None if core is None else lambda: os.sched_setaffinity(0, {core})
        self._process = subprocess.Popen(argv, env=programs.environment(), preexec_fn=pin, start_new_session=True)
        self._await()

    def requests(self) -> int:
        """Return how many requests it has had."""
        with urllib.request.urlopen(f"http://{self.address}/requests", timeout=10) as answer:
            found = re.search(r"(\d+) (\d+) (\d+)", answer.read().decode())
        assert found
        return int(found[3])

    def cpu_s(self) -> float:
        """Return the processor time it has used, in seconds."""
        master = psutil.Process(self._process.pid)
        times = [one.cpu_times() for one in (master, *master.children())]
        return float(sum(one.user + one.system for one in times))

    def freeze(self) -> None:
        """Stop it: connections are accepted by the system, nothing is answered."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self.thaw()
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(10)

    def _await(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.requests()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
        raise SystemExit("nginx did not start.")
