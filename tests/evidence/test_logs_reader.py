import pytest

from tests.evidence.build import asked, build
from tocsin.harness.evidence.logs import DOCUMENT, SOURCE, Logs


def test_both_ends(tmp_path):
    evidence = build(
        tmp_path / "run",
        requests=[asked(1), asked(2, outcome="failed")],
        source=[("r-1-0", 200), ("r-1-9", 500)],
        unparsed=[{"reason": "not JSON", "raw": "x"}],
    )
    logs = evidence.logs
    assert logs.documents["id"].tolist() == [b"r-1-0"]
    assert logs.source.tolist() == [(b"r-1-0", 200), (b"r-1-9", 500)]
    assert logs.unparsed == ({"reason": "not JSON", "raw": "x"},)
    assert logs.indices == ("logs-1970.01.12",)
    assert (logs.complete, logs.detail) == (True, "")


def test_the_collector_says_what_it_could_not_read(tmp_path):
    logs = build(tmp_path / "run", logs={"complete": False, "detail": "Elasticsearch: ConnectionError"}).logs
    assert (logs.complete, logs.detail) == (False, "Elasticsearch: ConnectionError")


def test_lines_set_aside_that_are_gone_are_not_complete(tmp_path):
    folder = build(tmp_path / "run", requests=[asked(1)], unparsed=[{"raw": "x"}, {"raw": "y"}]).folder / "logs"
    (folder / "unparsed.jsonl").write_text('{"raw": "x"}\n{"ra')
    logs = Logs.read(folder)
    assert not logs.complete
    assert logs.detail == "a part of unparsed.jsonl (1 of 2 lines are there) missing from logs/"


@pytest.mark.parametrize("missing", ["documents.npy", "source.npy", "summary.json"])
@pytest.mark.parametrize("how", ["absent", "torn", "foreign"])
def test_a_missing_or_torn_file_is_not_complete(tmp_path, missing, how):
    folder = build(tmp_path / "run", requests=[asked(1)]).folder / "logs"
    path = folder / missing
    text = path.read_bytes()
    path.unlink()
    if how != "absent":
        path.write_bytes(text[: len(text) - 3] if how == "torn" else b"[1, 2]")
    logs = Logs.read(folder)
    assert not logs.complete
    assert missing in logs.detail


def test_no_folder_is_empty_and_not_complete(tmp_path):
    logs = Logs.read(tmp_path / "logs")
    assert (len(logs.documents), len(logs.source), logs.complete) == (0, 0, False)
    assert (logs.documents.dtype, logs.source.dtype) == (DOCUMENT, SOURCE)
