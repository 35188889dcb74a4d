"""Exit codes and sentences of the exception tree."""

import pytest

from tocsin.harness.core import errors
from tocsin.harness.core.errors import Mistake, UsageError, worst


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 2),
        ([0], 0),
        ([0, 0], 0),
        ([0, 1], 1),
        ([2, 1], 1),
        ([2, 0], 2),
        ([1, 64], 64),
        ([64, 70], 70),
        ([130, 70, 1], 130),
        ([143, 70], 143),
        ([130, 143], 130),
        ([0, 99], 99),
    ],
)
def test_the_worst_code_of_several_drills(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TocsinError, 70),
        (errors.StackError, 2),
        (errors.MissingProgram, 2),
        (errors.WaitTimeout, 2),
        (errors.RoleDied, 2),
        (errors.NotPlayable, 2),
        (errors.EvidenceError, 2),
        (errors.HealError, 70),
    ],
)
def test_every_error_has_its_exit_code(error: type[errors.TocsinError], code: int) -> None:
    raised = error("It broke.", hint="Mend it.")
    assert (raised.exit_code, str(raised)) == (code, "It broke. Mend it.")


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    def names(kind: type) -> set[str]:
        return {kind.__name__}.union(
            *(names(child) for child in kind.__subclasses__() if child.__module__ == "tocsin.harness.core.errors")
        )

    assert all(name in (errors.__doc__ or "") for name in names(errors.TocsinError))


def test_a_mistake_reads_as_one_sentence() -> None:
    mistake = Mistake(
        file="a.yaml", line=3, where="stack", value="refrence", expected="a stack", hint="Did you mean `reference`?"
    )
    assert str(mistake) == "a.yaml:3: stack: got refrence; expected a stack. Did you mean `reference`?"


def test_a_usage_error_holds_all_mistakes() -> None:
    one = Mistake(file="a", line=0, where="x", value="1", expected="2")
    raised = UsageError([one, one])
    assert (len(raised.mistakes), raised.exit_code, str(raised).count("\n")) == (2, 64, 1)


def test_sigterm_is_handled_like_ctrl_c() -> None:
    assert issubclass(errors.Terminated, KeyboardInterrupt)
