from __future__ import annotations

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.faults import make

FAULT = make("wrong_answers", {"share": 0.4})
LINE = 'ml_model_accuracy{model_name="a"} '

SEEN = [
    (f"# HELP ml_model_accuracy x\n{LINE}0.6\n", "present", "ml_model_accuracy is 0.600"),
    (f"{LINE}0.959\n", "present", "ml_model_accuracy is 0.959"),
    (f"{LINE}0.961\n", "absent", "ml_model_accuracy is 0.961"),
    (f"{LINE}0.998\n{LINE}0.7\n", "present", "ml_model_accuracy is 0.700"),
    ('ml_model_accuracy_labels{model_name="a"} 0\n', "cannot_tell", "no labels come back"),
]


@pytest.mark.parametrize(("text", "state", "detail"), SEEN)
def test_the_witness_reads_what_comes_of_it(text: str, state: str, detail: str) -> None:
    with answering(200, text) as (address, calls):
        seen = FAULT.witness(FakeLive(address))
    assert seen.state == state and detail in seen.detail
    assert calls == [("GET", "/metrics", None)]


def test_a_small_share_must_be_told_from_a_good_models_errors() -> None:
    with answering(200, f"{LINE}0.985\n") as (address, _):
        assert make("wrong_answers", {"share": 0.1}).witness(FakeLive(address)).state == "absent"


def test_a_stack_without_the_signal_is_told() -> None:
    live = FakeLive("127.0.0.1:1")
    signals = live.stack.signals.model_copy(update={"accuracy": None})
    live.stack = live.stack.model_copy(update={"signals": signals})
    with pytest.raises(StackError, match="accuracy"):
        FAULT.witness(live)


def test_inject_and_heal_use_the_hook() -> None:
    with answering(200) as (address, calls):
        FAULT.inject(FakeLive(address))
        FAULT.heal(FakeLive(address))
    path = "/faults/wrong_answers"
    assert calls == [("PUT", path, {"share": 0.4}), ("DELETE", path, None)]
    assert FAULT.blinds(fault_stack()) == ()
