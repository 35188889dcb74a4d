"""Values from YAML and JSON: what is of another kind counts as empty."""

from pathlib import Path

import pytest

from tocsin.harness.core import untyped_data


@pytest.mark.parametrize(
    ("function", "value", "narrowed"),
    [
        ("mapping", {"a": 1}, {"a": 1}),
        ("mapping", [1], {}),
        ("items", [1, "a"], [1, "a"]),
        ("items", (1,), [1]),
        ("items", "ab", []),
        ("mappings", [{"a": 1}, 2, None], [{"a": 1}]),
        ("mappings", {"a": 1}, []),
        ("texts", {"a": 1, 2: None}, {"a": "1", "2": "None"}),
        ("texts", None, {}),
        ("text", 3, "3"),
        ("text", None, ""),
        ("text", False, ""),
    ],
)
def test_a_value_is_narrowed(function: str, value: object, narrowed: object) -> None:
    assert getattr(untyped_data, function)(value) == narrowed


@pytest.mark.parametrize(("content", "words"), [(b"a: [", "flow"), (b"\xff", "decode"), (None, "No such file")])
def test_a_file_that_is_not_yaml_is_a_value_error_in_one_line(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as raised:
        untyped_data.read_yaml(path)
    assert "\n" not in str(raised.value)


def test_a_yaml_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{a: [1, b]}")
    assert untyped_data.read_yaml(tmp_path / "a.yaml") == {"a": [1, "b"]}
