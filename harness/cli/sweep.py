"""tocsin sweep: cleans up after runs that were killed."""

from __future__ import annotations


def sweep() -> int:
    """Clean up after runs that were killed. Live runs are never touched."""
    from harness.cli.output import show
    from harness.engines.run import sweep as clean
    from harness.errors import PASS

    swept = clean()
    show(*[f"Cleaned up after run {run_id}." for run_id in swept] or ["Nothing was left behind."])
    return PASS
