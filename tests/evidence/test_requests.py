import json
import math
import subprocess
import sys

import numpy as np
import pytest

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, KINDS, OUTCOMES, RECORD, RequestWriter, read_requests


def add(writer, seq, intended, worker=1, **more):
    row = {"kind": 0, "outcome": ANSWERED, "status": 200, "sent": intended, "first_byte": intended, "done": intended}
    writer.pack(id=f"drill-{worker}-{seq}".encode(), worker=worker, intended=intended, **{**row, **more})


def write(folder, count, worker=1, first=0):
    writer = RequestWriter(folder / f"{worker}.npy")
    for seq in range(count):
        add(writer, seq, float(first + seq), worker)
    writer.close()
    return folder / f"{worker}.npy"


def test_what_is_added_is_read(tmp_path):
    writer = RequestWriter(tmp_path / "1.npy")
    add(writer, 0, 5.0, kind=KINDS.index("nan"), status=422, sent=5.5, first_byte=6.0, done=6.5)
    add(writer, 1, 7.0, outcome=DROPPED, status=0, sent=math.nan, first_byte=math.nan, done=math.nan)
    writer.close()
    first, second = read_requests(tmp_path)
    assert first.tolist() == (b"drill-1-0", 5, 0, 422, 1, 5.0, 5.5, 6.0, 6.5)
    assert OUTCOMES[second["outcome"]] == "dropped" and np.isnan(second["sent"]) and np.isnan(second["done"])


def test_the_file_is_an_ordinary_npy_file(tmp_path):
    path = write(tmp_path, 1000)
    plain = np.load(path)
    assert plain.dtype == RECORD and len(plain) == 1000


def test_arrays_can_be_appended(tmp_path):
    rows = read_requests(write(tmp_path / "a", 3).parent)
    writer = RequestWriter(tmp_path / "b" / "1.npy")
    writer.append(rows)
    writer.close()
    assert (read_requests(tmp_path / "b") == rows).all()


def test_the_files_of_all_workers_are_sorted_by_intended_time(tmp_path):
    write(tmp_path, 4, worker=1, first=10)
    write(tmp_path, 4, worker=0, first=8)
    write(tmp_path, 0, worker=2)
    rows = read_requests(tmp_path)
    assert rows["intended"].tolist() == [8, 9, 10, 10, 11, 11, 12, 13]
    assert rows["worker"].tolist() == [0, 0, 0, 1, 0, 1, 1, 1]


def test_no_folder_is_no_requests(tmp_path):
    rows = read_requests(tmp_path / "none")
    assert len(rows) == 0 and rows.dtype == RECORD


def test_flushed_rows_survive_a_kill_and_others_are_absent(tmp_path):
    code = (
        "import os, sys, pathlib; sys.path.insert(0, '.')\n"
        "from tocsin.harness.evidence.requests import RequestWriter\n"
        f"writer = RequestWriter(pathlib.Path({str(tmp_path / '1.npy')!r}))\n"
        "more = dict(kind=0, outcome=0, status=200, worker=1, sent=1.0, first_byte=1.0, done=1.0)\n"
        "for seq in range(30):\n"
        "    writer.pack(id=b'a-1-%d' % seq, intended=float(seq), **more)\n"
        "    if seq % 10 == 9 and seq < 25: writer.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert read_requests(tmp_path)["intended"].tolist() == list(range(20))


@pytest.mark.parametrize(
    "keep, rows",
    [
        (0, 0),
        (3, 0),
        (9, 0),
        (100, 0),
        ("header", 0),
        ("header+1", 0),
        ("header+row-1", 0),
        ("header+row", 1),
        ("header+5rows+7", 5),
        ("all-1", 9),
        ("all", 10),
    ],
)
def test_a_torn_file_gives_its_whole_rows(tmp_path, keep, rows):
    path = write(tmp_path, 10)
    raw = path.read_bytes()
    header = len(raw) - 10 * RECORD.itemsize
    places = {
        "header": header,
        "header+1": header + 1,
        "header+row-1": header + RECORD.itemsize - 1,
        "header+row": header + RECORD.itemsize,
        "header+5rows+7": header + 5 * RECORD.itemsize + 7,
        "all-1": len(raw) - 1,
        "all": len(raw),
    }
    path.write_bytes(raw[: places.get(keep, keep)])
    assert read_requests(tmp_path)["intended"].tolist() == list(range(rows))


def test_rows_beyond_the_count_in_the_header_are_read(tmp_path):
    path = write(tmp_path, 3)
    old = path.read_bytes()[: -3 * RECORD.itemsize]
    grown = write(tmp_path, 8).read_bytes()
    path.write_bytes(old + grown[len(old) :])
    assert len(read_requests(tmp_path)) == 8


@pytest.mark.parametrize("content", [b"x" * 500, None])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    if content is None:
        np.save(tmp_path / "1.npy", np.zeros(100))
    else:
        (tmp_path / "1.npy").write_bytes(content)
    with pytest.raises(EvidenceError, match="does not hold request records"):
        read_requests(tmp_path)


def test_kinds_are_written_beside_the_records(tmp_path):
    write(tmp_path, 1)
    assert json.loads((tmp_path / "kinds.json").read_text()) == {str(at): name for at, name in enumerate(KINDS)}


def test_records_of_an_older_version_with_fewer_kinds_are_read(tmp_path):
    write(tmp_path, 2)
    (tmp_path / "kinds.json").write_text(json.dumps({"0": "normal", "1": "canary"}))
    assert len(read_requests(tmp_path)) == 2


@pytest.mark.parametrize("content", ['{"0": "canary"}', '{"99": "later"}', "{"])
def test_kinds_that_would_be_misread_are_refused(tmp_path, content):
    write(tmp_path, 2)
    (tmp_path / "kinds.json").write_text(content)
    with pytest.raises(EvidenceError, match=r"kinds\.json"):
        read_requests(tmp_path)


def test_the_longest_id_fits():
    assert len(f"{'x' * 24}-65535-{10**8 - 1}") <= RECORD["id"].itemsize
