"""A name of nothing: the nearest is suggested, and where all stand is said."""

import pytest

from tocsin.harness.planning.diagnostics import unknown_name

FAULTS = [f"fault_{number}" for number in range(51)] + ["kill"]


@pytest.mark.parametrize(
    ("name", "options", "all_stand", "sentence"),
    [
        ("kil", FAULTS, None, "x.yaml:3: unknown fault `kil`; did you mean `kill`? `tocsin ls faults` lists all."),
        ("zz", FAULTS, None, "x.yaml:3: unknown fault `zz`; `tocsin ls faults` lists all."),
        ("kil", ["b", "kill"], "", "x.yaml:3: unknown fault `kil`; did you mean `kill`? Known here: b, kill."),
        ("zz", ["b", "a", "b"], "", "x.yaml:3: unknown fault `zz`; known here: a, b."),
        ("zz", [], "", "x.yaml:3: unknown fault `zz`; known here: none."),
        ("kil", FAULTS, "", "x.yaml:3: unknown fault `kil`; did you mean `kill`?"),
        (
            "kil",
            FAULTS,
            "the plan shows all",
            "x.yaml:3: unknown fault `kil`; did you mean `kill`? The plan shows all.",
        ),
        ("zz", FAULTS, "the plan shows all", "x.yaml:3: unknown fault `zz`; the plan shows all."),
    ],
)
def test_an_unknown_name(name: str, options: list[str], all_stand: str | None, sentence: str) -> None:
    assert str(unknown_name("x.yaml", "fault", name, options, line=3, all_stand=all_stand)) == sentence


def test_the_key_that_holds_the_name_is_said_if_it_is_called_otherwise() -> None:
    mistake = unknown_name("x.yaml", "phase", "baslin", ["baseline"], where="in", all_stand="")
    assert str(mistake) == "x.yaml: in: unknown phase `baslin`; did you mean `baseline`? Known here: baseline."
