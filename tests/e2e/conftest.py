"""The drill on the good stack, played once for all tests that ask about it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from tests.e2e.drills import Played, copy_stack, play

RUN = re.compile(r"tocsin-\d{6}-\d{6}-[0-9a-f]{4}")
"""The name of a run's work folder: drills that somebody plays meanwhile have one, too."""


def temporary() -> set[str]:
    """Return what lies in the machine's temporary folder under names that a stack's programs may use."""
    return {
        p.name for p in Path(tempfile.gettempdir()).iterdir() if p.name.startswith(("tocsin-", "final-flags", "hsperf"))
    }


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The drill on the good stack: without it, red on a broken one would prove nothing."""
    folder = tmp_path_factory.mktemp("good")
    before = temporary()
    played = play(folder / "runs", copy_stack(folder / "stack"))
    own = f"tocsin-{played.folder.name}" if played.folder else ""
    others = {name for name in temporary() if RUN.fullmatch(name) and name != own}
    assert temporary() - others <= before, "a drill leaves nothing in the temporary folder"
    return played
