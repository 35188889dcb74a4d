"""What breaks a copy of the reference stack still fits it: each change applies exactly once. No server is started."""

from __future__ import annotations

import pytest

from tests.e2e.drills import ROOT
from tests.e2e.mutants import MUTANTS, Broken
from tests.e2e.test_proof import BROKEN


@pytest.mark.parametrize("broken", [*MUTANTS, *BROKEN], ids=lambda broken: broken.name)
def test_the_stack_has_what_is_changed(broken: Broken) -> None:
    texts: dict[str, str] = {}
    for change in broken.changes:
        text = texts.setdefault(change.file, (ROOT / "stacks/reference" / change.file).read_text(encoding="utf-8"))
        assert text.count(change.old) == 1, change
        texts[change.file] = text.replace(change.old, change.new)
