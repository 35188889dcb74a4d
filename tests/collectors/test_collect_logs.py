import json

import numpy as np
import pytest

from tests.collectors.servers import Rig, serving
from tocsin.harness.collectors.logs import LogsCollector
from tocsin.harness.evidence.logs import Logs as Recorded

PRODUCT = {"X-Elastic-Product": "Elasticsearch"}


def document(number, index="logs-2026.01.01", status=200, **more):
    return {"index": index, "request_id": f"r-1-{number}", "status": status, "@timestamp": 1.5 + number, **more}


class FakeElasticsearch:
    """As much of the reduced distribution as the collector asks for: `GET /` is refused, pages hold two documents."""

    def __init__(self):
        self.documents = [document(number) for number in range(5)]
        self.unparsed = []
        self.text_ids = False
        self.fails_after = None
        self.pages = 0
        self.views = set()

    def __call__(self, method, path, given):
        if path.endswith("/_refresh"):
            return 200, {}
        if path.endswith("/_count"):
            return 200, {"count": len(self._matching(path, given))}
        if path.endswith("/_pit") and method == "POST":
            self.views.add(path.split("/")[1])
            return 200, {"id": path.split("/")[1]}
        if path == "/_pit":
            self.views.discard(given["id"])
            return 200, {"succeeded": True}
        return self._search(given) if path == "/_search" else (405, {})

    def _matching(self, path, given):
        names = path.split("/")[1].split(",")
        found = (self.documents if "logs-*" in names else []) + (self.unparsed if "unparsed-*" in names else [])
        prefix = given.get("query", {}).get("prefix", {}).get("request_id", "")
        return [one for one in found if one.get("request_id", "").startswith(prefix)]

    def _search(self, given):
        assert given["sort"] == ["_shard_doc"]
        self.pages += 1
        if self.fails_after is not None and self.pages > self.fails_after:
            return 400, {"error": "cut off"}
        if self.text_ids and "docvalue_fields" in given:
            return 400, {"error": "Text fields are not optimised for operations that require per-document field data"}
        start = given.get("search_after", [-1])[0] + 1
        kept = self.documents if given["pit"]["id"] == "logs-*" else self.unparsed
        hits = [self._hit(place, one, given) for place, one in enumerate(kept)][start : start + 2]
        return 200, {"pit_id": given["pit"]["id"], "hits": {"hits": hits}}

    def _hit(self, place, one, given):
        hit = {"_index": one["index"], "_id": str(place), "sort": [place]}
        if given["_source"]:
            return {**hit, "_source": {key: value for key, value in one.items() if key != "index"}}
        fields = {key: [value] for key, value in one.items() if key != "index"}
        fields["@timestamp"] = [f"{one['@timestamp'] * 1000:.6f}"]
        return {**hit, "fields": fields}


@pytest.fixture
def elasticsearch():
    return FakeElasticsearch()


@pytest.fixture
def rig(tmp_path, elasticsearch):
    with serving(elasticsearch, PRODUCT) as server:
        rig = Rig(tmp_path, {"elasticsearch": server.address})
        (rig.work / "model/logs").mkdir(parents=True)
        yield rig


def wrote(rig, *numbers, name="requests.jsonl", tail=""):
    lines = "".join(json.dumps(document(number)) + "\n" for number in numbers)
    with (rig.work / "model/logs" / name).open("a") as file:
        file.write(lines + tail)


def ids(rows):
    return [name.decode() for name in rows["id"]]


def test_both_ends_are_written_down(rig, elasticsearch):
    elasticsearch.documents[3] = document(3, index="logs-2026.01.02", status=503)
    elasticsearch.unparsed = [{"index": "unparsed-2026.01.01", "reason": "not JSON", "raw": "x"}]
    wrote(rig, 0, 1, 2, name="requests.jsonl.1")
    wrote(rig, 3, 4, tail="not JSON\n" + '{"request_id": "half')
    assert rig.collect(rig.start(LogsCollector())) == 5
    logs = Recorded.read(rig.folder / "logs")
    assert ids(logs.documents) == sorted(ids(logs.source)) == [f"r-1-{number}" for number in range(5)]
    assert logs.documents["status"].tolist() == [200, 200, 200, 503, 200]
    assert np.allclose(logs.documents["time"], [1.5, 2.5, 3.5, 4.5, 5.5])
    assert [logs.indices[place][-2:] for place in logs.documents["index"]] == ["01", "01", "01", "02", "01"]
    assert logs.unparsed == ({"_index": "unparsed-2026.01.01", "_id": "0", "reason": "not JSON", "raw": "x"},)
    assert (logs.complete, logs.detail) == (True, "")
    summary = json.loads((rig.folder / "logs" / "summary.json").read_text())
    assert [summary[f"source_{name}"] for name in ("lines", "malformed", "torn")] == [6, 1, 1]
    assert elasticsearch.views == set()  # every point in time was closed


def test_ids_without_doc_values_are_read_all_the_same(rig, elasticsearch):
    elasticsearch.text_ids = True
    wrote(rig, 0)
    rig.collect(rig.start(LogsCollector()))
    assert len(Recorded.read(rig.folder / "logs").documents) == 5


@pytest.mark.parametrize("field", ["status", "@timestamp", "request_id"])
def test_a_document_may_lack_a_field(rig, elasticsearch, field):
    wrote(rig, 0)
    broken = {key: value for key, value in document(9).items() if key != field}
    elasticsearch.documents = [{"@timestamp": 0.0, **broken}]
    assert rig.collect(rig.start(LogsCollector())) == 1
    (row,) = Recorded.read(rig.folder / "logs").documents
    assert (row["id"] == b"", row["status"] == 0) == (field == "request_id", field == "status")


def test_no_index_is_no_document(rig, elasticsearch):
    elasticsearch.documents = []
    wrote(rig, 0)
    assert rig.collect(rig.start(LogsCollector())) == 0
    assert Recorded.read(rig.folder / "logs").complete


def test_what_came_before_an_error_is_kept(rig, elasticsearch):
    elasticsearch.fails_after = 2
    wrote(rig, 0, 1, 2, 3, 4)
    assert rig.collect(rig.start(LogsCollector())) == 4
    logs = Recorded.read(rig.folder / "logs")
    assert (len(logs.documents), len(logs.source), logs.complete) == (4, 5, False)
    assert "cut off" in logs.detail
    assert rig.facts("stream_lost")[0]["stream"] == "logs"


def test_a_dead_elasticsearch_leaves_the_source(tmp_path):
    rig = Rig(tmp_path, {})
    (rig.work / "model/logs").mkdir(parents=True)
    wrote(rig, 0, 1)
    collector = rig.start(LogsCollector())
    assert collector.seen_canary(rig.live, rig.run)[0] is False
    assert collector.caught_up(rig.live, rig.run, 0)[0] is False
    assert rig.collect(collector) == 0
    logs = Recorded.read(rig.folder / "logs")
    assert (len(logs.source), logs.complete) == (2, False)
    assert "Connection" in logs.detail


def test_no_log_file_is_not_complete(rig):
    rig.collect(rig.start(LogsCollector()))
    logs = Recorded.read(rig.folder / "logs")
    assert (logs.complete, logs.detail) == (False, "no file matches {work}/model/logs/requests.jsonl*")


@pytest.mark.parametrize(("ids", "seen"), [(["r-1-0"], False), (["r-0-7"], True), (["other-0-7"], False), ([], False)])
def test_the_canary_is_a_canarys_document(rig, elasticsearch, ids, seen):
    elasticsearch.documents = [{**document(0), "request_id": name} for name in ids]
    collector = rig.start(LogsCollector())
    assert collector.seen_canary(rig.live, rig.run) == (seen, f"{int(seen)} documents with an id r-0-...")


@pytest.mark.parametrize(
    ("lines", "tail", "unparsed", "done", "state"),
    [
        ([0, 1, 2, 3, 4], "", 0, True, "5 documents came out of 5 lines"),
        ([0, 1, 2, 3, 4, 5], "", 0, False, "5 documents came out of 6 lines"),
        ([0, 1, 2, 3, 4], "x\n", 1, True, "6 documents came out of 6 lines"),
        ([0, 1, 2, 3, 4], "half", 0, True, "5 documents came out of 5 lines"),
    ],
)
def test_caught_up_is_a_document_per_line(rig, elasticsearch, lines, tail, unparsed, done, state):
    elasticsearch.unparsed = [{"index": "unparsed-1"}] * unparsed
    wrote(rig, *lines, tail=tail)
    collector = rig.start(LogsCollector())
    assert collector.caught_up(rig.live, rig.run, 0) == (done, state)


def test_a_stack_without_logs_has_nothing_to_wait_for(tmp_path):
    rig = Rig(tmp_path, {}, logs=None)
    collector = rig.start(LogsCollector())
    assert collector.seen_canary(rig.live, rig.run)[0] is True
    assert collector.caught_up(rig.live, rig.run, 0)[0] is True
    assert rig.collect(collector) == 0
    assert not (rig.folder / "logs").exists()
