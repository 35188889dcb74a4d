"""Hooks of a stack: by their own names, or by patterns."""

from __future__ import annotations

import pytest

from tests.faults.fake_live import fault_stack
from tocsin.harness.declarations.stack import Hook

HOOKS = {
    "kill_*": Hook(role="a", port="http", path="/{kind}"),
    "*/b": Hook(role="b", port="http", path="/of-b/{kind}"),
    "kill_me": Hook(role="c", port="http", path="/c"),
    "*": Hook(role="d", port="http", path="/d/{kind}"),
}
FOUND = [
    ("kill_it", ("a", "/kill_it")),
    ("kill_me", ("c", "/c")),
    ("other", ("d", "/d/other")),
    ("stale/b", ("b", "/of-b/stale")),
    ("stale/c", None),
]


@pytest.mark.parametrize(("name", "hook"), FOUND)
def test_a_hook_is_found_by_its_name_or_the_first_pattern_that_fits(name: str, hook: tuple[str, str] | None) -> None:
    found = fault_stack().model_copy(update={"hooks": HOOKS}).hook(name)
    assert (found and (found.role, found.path)) == hook
