"""A first stack.yaml for a compose file of one's own: what can be read from it is filled in, what cannot is named."""

from __future__ import annotations

from pathlib import Path

from tocsin.harness.planning.stack_draft.compose_file import read_compose
from tocsin.harness.planning.stack_draft.draft_writer import Draft, write_draft
from tocsin.harness.planning.stack_draft.monitoring_findings import read_findings
from tocsin.harness.planning.stack_draft.service_kinds import recognise

__all__ = ["Draft", "draft"]


def draft(path: Path) -> Draft:
    """Return a draft for the compose file at `path`; UsageError if it cannot be read. Only files are looked at."""
    compose = read_compose(path)
    roles = recognise(compose.services)
    return write_draft(compose, roles, read_findings(compose, roles))
