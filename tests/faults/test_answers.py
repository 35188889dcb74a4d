"""Faults of the answers: what clients get, as their witnesses read it."""

from __future__ import annotations

import pytest

from tests.faults.fake_live import FakeLive, fault_stack
from tocsin.harness.faults import make
from tocsin.harness.faults.nan_output import not_a_number

GOOD, NULL = (200, '{"prediction": 0, "score": 0.3}'), (200, '{"prediction": 0, "score": null}')

SEEN = [
    ((GOOD,), "absent"),
    ((GOOD, NULL), "present"),
    ((GOOD, (200, '{"prediction": 0, "score": NaN}')), "present"),
    ((GOOD, (500, '{"error": "a score is NaN"}')), "present"),
    ((GOOD, (503, "")), "cannot_tell"),
    (((0, ""),), "cannot_tell"),
]


class Answering(FakeLive):
    """Answers with each of these in turn."""

    def __init__(self, *given: tuple[int, str]) -> None:
        super().__init__("127.0.0.1:1")
        payload = self.stack.payload.model_copy(update={"response": {"prediction": "/prediction", "score": "/score"}})
        self.stack = self.stack.model_copy(update={"payload": payload})
        self.given = given

    def answers(self, count: int) -> list[tuple[int, str]]:
        self.done.append(("answers", count))
        return [self.given[n % len(self.given)] for n in range(count)]


@pytest.mark.parametrize(("given", "state"), SEEN)
def test_the_witness_reads_answers_as_a_client_does(given: tuple[tuple[int, str], ...], state: str) -> None:
    assert make("nan_output", {"share": 0.5}).witness(Answering(*given)).state == state


@pytest.mark.parametrize(("share", "asked"), [(1, 20), (0.05, 90), (0.001, 200)])
def test_a_small_share_is_looked_for_longer(share: float, asked: int) -> None:
    live = Answering(GOOD)
    make("nan_output", {"share": share}).witness(live)
    assert live.done == [("answers", asked)]


BODIES = [
    ('{"outputs": [{"data": [null]}]}', ("/outputs/0/data/0",), True),
    ('{"outputs": [{"data": [1e999]}]}', ("/outputs/0/data/0",), True),
    ('{"outputs": [{"data": [0]}]}', ("/outputs/0/data/0",), False),
    ('{"outputs": [{"data": [0]}]}', ("/outputs/1/data", "/else", "/outputs/x"), False),
    ('{"score": "NaN"}', ("/score",), False),
    ("no JSON", ("/score",), False),
    ('{"score": null}', (), False),
]


@pytest.mark.parametrize(("body", "pointers", "empty"), BODIES)
def test_what_is_no_number(body: str, pointers: tuple[str, ...], empty: bool) -> None:
    assert not_a_number(body, pointers) is empty


VERSIONS = [
    (((200, '{"model_version": "0-older"}'),), "present"),
    ((GOOD, (200, '{"model_version":"0-older"}')), "present"),
    (((200, '{"model_version": "0-older-still"}'),), "absent"),
    ((GOOD, (503, '"0-older"')), "cannot_tell"),
    (((0, ""),), "cannot_tell"),
]


@pytest.mark.parametrize(("given", "state"), VERSIONS)
def test_the_witness_looks_for_the_version_in_answers(given: tuple[tuple[int, str], ...], state: str) -> None:
    assert make("wrong_version", {"version": "0-older"}).witness(Answering(*given)).state == state


@pytest.mark.parametrize("version", ["", "a b", "x" * 41, '"'])
def test_a_version_is_a_word(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        make("wrong_version", {"version": version})


@pytest.mark.parametrize("kind", ["nan_output", "wrong_version"])
def test_they_blind_nothing(kind: str) -> None:
    assert make(kind, {"share": 1} if kind == "nan_output" else {}).blinds(fault_stack()) == ()
