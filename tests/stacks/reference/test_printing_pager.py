"""The pager of compose.yaml: one line per alert, and an answer that Alertmanager understands."""

import http.client
import json
import threading
from http.server import ThreadingHTTPServer

import pytest
from pager.__main__ import _Inbox, lines

FIRING = {"status": "firing", "labels": {"alertname": "TargetDown"}, "annotations": {"summary": "node is down."}}
ENDED = {"status": "resolved", "labels": {"alertname": "TargetDown"}, "annotations": {}}


@pytest.mark.parametrize(
    ("alerts", "printed"),
    [
        ([FIRING], ["page: firing TargetDown node is down."]),
        ([FIRING, ENDED], ["page: firing TargetDown node is down.", "page: resolved TargetDown"]),
        ([{}], ["page: ? ?"]),
        ([], []),
    ],
)
def test_lines(alerts, printed):
    assert list(lines("page", {"alerts": alerts})) == printed


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Inbox) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "printed"),
    [
        ("POST", "/page", json.dumps({"alerts": [FIRING]}), 200, "page: firing TargetDown node is down.\n"),
        ("POST", "/page", "no JSON", 400, ""),
        ("POST", "/page", "[]", 400, ""),
        ("GET", "/healthz", "", 200, ""),
        ("GET", "/", "", 404, ""),
    ],
)
def test_answers(server, capsys, method, path, body, status, printed):
    connection = http.client.HTTPConnection(*server.server_address, timeout=5)
    connection.request(method, path, body)
    assert connection.getresponse().status == status
    connection.close()
    assert capsys.readouterr().out == printed
