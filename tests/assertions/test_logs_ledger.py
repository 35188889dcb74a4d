import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import SIGNALS, asked

SENT = [asked(at) for at in range(5)]  # r-1-0 to r-1-4
LINES = [(f"r-1-{n}", 200) for n in range(5)]
ZERO = {"lost": 0, "duplicated": 0, "misparsed": 0}


@pytest.mark.parametrize(
    ("documents", "source", "answer", "words"),
    [
        (LINES, LINES, "pass", "5 lines due came out exactly once."),
        (LINES[1:], LINES, "fail", ["Of 5 lines due", "1 lost, 0 never written and 1 lost on the way, first r-1-0"]),
        (LINES[1:], LINES[1:], "fail", "1 lost, 1 never written and 0 lost on the way"),
        ([], [], "fail", "5 lost"),
        ([*LINES, LINES[2]], LINES, "fail", "1 duplicated, first r-1-2"),
        (LINES, [*LINES, LINES[2]], "fail", "1 duplicated"),
        ([*LINES[:4], ("r-1-4", 500)], LINES, "fail", ["1 misparsed", "1 with another status than the client saw"]),
        ([*LINES, ("r-1-99", 200)], LINES, "fail", "1 that nobody sent or that should not be logged, first r-1-99"),
        ([*LINES, ("other-1-99", 200)], LINES, "pass", "exactly once"),
        ([*LINES[2:], LINES[2]], LINES, "fail", ["2 lost", "1 duplicated"]),
    ],
)
def test_balance(tmp_path, documents, source, answer, words):
    says(ask("logs/ledger", tmp_path, ZERO, requests=SENT, documents=documents, source=source), answer, words)


@pytest.mark.parametrize(
    ("one", "there", "answer", "words"),
    [
        (asked(9, outcome="unknown", id="r-1-x"), True, "pass", "and 1 of 1 that may or may not be logged"),
        (asked(9, outcome="unknown", id="r-1-x"), False, "pass", "and 0 of 1 that may or may not be logged"),
        (asked(9, outcome="failed", id="r-1-x"), False, "pass", "0 of 1"),
        (asked(9, outcome="dropped", id="r-1-x"), False, "pass", "exactly once."),
        (asked(9, outcome="dropped", id="r-1-x"), True, "fail", "that nobody sent"),
        (asked(9, kind="broken_json", status=422, id="r-1-x"), False, "fail", "1 lost"),
        (asked(9, kind="nan", status=422, id="r-1-x"), False, "pass", "0 of 1"),
        (asked(9, kind="nan", status=422, id="r-1-x"), True, "fail", "another status"),  # the document says 200
        (asked(9, kind="oversize", status=413, id="r-1-x"), False, "pass", "exactly once."),
        (asked(9, kind="oversize", status=413, id="r-1-x"), True, "fail", "should not be logged"),
        (asked(9, kind="wrong_shape", status=422, id="r-1-x"), False, "pass", "0 of 1"),  # undeclared: nobody knows
        (asked(9, kind="canary", id="r-0-x"), False, "fail", "first r-0-x"),
    ],
)
def test_outcomes_and_declarations(tmp_path, one, there, answer, words):
    documents = [*LINES, (one["id"], 200)] if there else LINES
    found = ask("logs/ledger", tmp_path, ZERO, requests=[*SENT, one], documents=documents, source=documents)
    says(found, answer, words)


@pytest.mark.parametrize(
    ("args", "answer", "words"),
    [
        ({"lost": 1, "duplicated": 1, "misparsed": 2}, "pass", "borne: 1 lost, 1 duplicated, 2 misparsed"),
        ({"lost": 0, "duplicated": 1, "misparsed": 2}, "fail", "1 lost"),
        ({"lost": 1, "duplicated": 0, "misparsed": 2}, "fail", "1 duplicated"),
        (
            {"lost": 1, "duplicated": 1, "misparsed": 1},
            "fail",
            "2 misparsed (allowed 1), 1 set aside unparsed and 1 with",
        ),
        ({}, "fail", ["1 lost", "1 duplicated", "2 misparsed"]),
    ],
)
def test_what_is_borne(tmp_path, args, answer, words):
    documents = [*LINES[1:4], ("r-1-4", 500), LINES[2]]
    found = ask(
        "logs/ledger", tmp_path, args, requests=SENT, documents=documents, source=LINES, unparsed=[{"raw": "?"}]
    )
    says(found, answer, words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"logs": {"complete": False, "detail": "the index could not be read"}}, "the index could not be read"),
        ({"run": {"signals": {**SIGNALS, "logs": None}}}, "declares no log pipeline"),
        ({"requests": [asked(1, outcome="unknown")]}, "No answered request"),
        ({"requests": []}, "No answered request"),
    ],
)
def test_what_is_not_known(tmp_path, more, words):
    says(ask("logs/ledger", tmp_path, ZERO, **{"requests": SENT, **more}), "unknown", words)


def test_a_pipeline_that_lags_is_named(tmp_path):
    facts = [("caught_up", 125, {"signal": "logs", "done": False, "detail": "3 lines wait"})]
    found = ask("logs/ledger", tmp_path, ZERO, requests=SENT, documents=LINES[3:], source=LINES, facts=facts)
    says(found, "fail", "the pipeline had not caught up: 3 lines wait")
