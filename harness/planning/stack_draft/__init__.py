"""A first stack.yaml for a compose file of one's own: what can be read from it is filled in, what cannot is named.

`composed` reads the compose file, `kinds` tells what each service is, `declared` reads the Prometheus, Alertmanager and
rule files that it mounts, and `document` writes it all down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.planning.stack_draft.compose_file import read_compose
from tocsin.harness.planning.stack_draft.draft_writer import document
from tocsin.harness.planning.stack_draft.monitoring_findings import read_declared
from tocsin.harness.planning.stack_draft.service_kinds import recognise


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The text of a stack.yaml, what was found in words, and what was not, each with the next move."""

    text: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


def draft(path: Path) -> Draft:
    """Return a draft for the compose file at `path`; UsageError if it cannot be read. Only files are looked at."""
    composed = read_compose(path)
    roles = recognise(composed.services)
    return document(composed, roles, read_declared(composed, roles))


__all__ = ["Draft", "draft"]
