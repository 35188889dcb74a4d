"""Plays a plan: reads `start <epoch seconds>` and `stop` from stdin, says events as JSON lines on stdout."""

import locust  # noqa: F401, I001  (patches the sockets: it must come before everything that uses them)

import sys

from tocsin.harness.traffic.locust.traffic_process import main

sys.exit(main(sys.argv[1:]))
