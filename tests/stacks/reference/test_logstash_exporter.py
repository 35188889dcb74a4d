"""Logstash's node statistics under the names of the shipper's metrics."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from exporters.logstash import LogstashCollector, counts

STATS = {
    "plugins": {
        "inputs": [{"id": "request-log", "events": {"out": 12}}],
        "filters": [{"id": "parse", "events": {"in": 12}}, {"id": "unparsed", "events": {"in": 2}}],
        "outputs": [
            {
                "id": "elasticsearch",
                "documents": {"successes": 8, "non_retryable_failures": 1, "dlq_routed": 1, "retryable_failures": 4},
                "bulk_requests": {"failures": 3},
            }
        ],
    },
    "queue": {"type": "persisted", "events_count": 2},
}
COUNTED = {
    "submitted": 12, "processed": 9, "failed": 1, "retried": 4, "request_failures": 3, "unparsed": 2, "waiting": 2,
}  # fmt: skip


@pytest.mark.parametrize(("stats", "counted"), [(STATS, COUNTED), ({}, dict.fromkeys(COUNTED, 0))])
def test_node_statistics_become_the_names_the_rules_know(stats, counted):
    assert counts(stats) == counted


def test_delivered_up_to_is_the_last_time_by_which_all_lines_read_had_arrived():
    collector = LogstashCollector("http://shipper:9600")
    assert list(collector.collect()) == []  # no answer yet: no zeros
    seen = [(10.0, 5, 5), (11.0, 9, 5), (12.0, 9, 8), (13.0, 12, 9), (14.0, 3, 0)]  # the last after a restart
    told = [collector._up_to({"submitted": read, "processed": done, "failed": 0}, at) for at, read, done in seen]
    assert told == [10.0, 10.0, 10.0, 12.0, 14.0]


class Answers(BaseHTTPRequestHandler):
    """Answers with what the server's `told` holds."""

    def do_GET(self):
        assert self.path == "/_node/stats/pipelines"
        body = json.dumps(self.server.told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def test_the_exporter_keeps_what_logstash_said_last():
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        collector = LogstashCollector(f"http://127.0.0.1:{server.server_port}/")
        server.timeout = 5
        for server.told in ({"pipelines": {"requests": STATS}}, {"pipelines": {}}, {"pipelines": {"requests": None}}):
            asking = threading.Thread(target=collector.ask)
            asking.start()
            server.handle_request()
            asking.join()
    collector.ask()  # nobody answers any more
    found = {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}
    assert found["shipper_submitted_total"] == 12 and found["shipper_queue_size"] == 2
    assert 0 <= found["shipper_stats_age_seconds"] < 60
