import pytest

from tocsin.harness.collectors.service_log_lines import LineCounter, as_status, log_files, read_lines


@pytest.mark.parametrize(
    ("text", "rows", "malformed", "torn"),
    [
        (b"", [], 0, 0),
        (b'{"id": "a", "code": 200}\n', [(b"a", 200)], 0, 0),
        (b'{"id": "a", "code": "503"}\n{"id": "a"}\n', [(b"a", 503), (b"a", 0)], 0, 0),
        (b'{"id": "a", "code": 200}\n{"id": "b", "co', [(b"a", 200)], 0, 1),
        (b'x\n{"id": ""}\n{"id": 7}\n{}\n[]\n"id"\n\n', [], 7, 0),
        (b'\xff\xfe\n{"id": "a", "code": 200}\n', [(b"a", 200)], 1, 0),
    ],
)
def test_lines(tmp_path, text, rows, malformed, torn):
    path = tmp_path / "log"
    path.write_bytes(text)
    lines = read_lines([path], id="id", status="code")
    assert (lines.rows.tolist(), lines.malformed, lines.torn) == (rows, malformed, torn)
    assert lines.count == len(rows) + malformed


@pytest.mark.parametrize(
    ("value", "expected"),
    [(200, 200), ("503", 503), (None, 0), ("x", 0), (-1, 0), (70_000, 0), (200.0, 200), ([], 0)],
)
def test_status(value, expected):
    assert as_status(value) == expected


def test_rotated_files_belong_to_the_pattern(tmp_path):
    for name in ("requests.jsonl", "requests.jsonl.1", "other.jsonl"):
        (tmp_path / name).touch()
    assert [path.name for path in log_files("{work}/requests.jsonl*", tmp_path)] == [
        "requests.jsonl",
        "requests.jsonl.1",
    ]


def test_a_counter_follows_growth_rename_and_truncation(tmp_path):
    counter, path, old = LineCounter(), tmp_path / "log", tmp_path / "log.1"
    assert counter.count([]) == 0
    path.write_bytes(b"a\nb\nhal")
    assert counter.count([path]) == 2
    with path.open("ab") as file:
        file.write(b"f\n")
    assert counter.count([path]) == 3
    path.rename(old)
    path.write_bytes(b"c\n")
    assert counter.count([path, old]) == 4
    path.write_bytes(b"")
    assert counter.count([path, old]) == 3
