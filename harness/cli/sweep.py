"""tocsin sweep: cleans up after runs whose guardian died as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.harness.engines.guardian.sweep import SweptRun


def sweep(
    images: Annotated[bool, typer.Option("--images", help="Remove the Docker images that Tocsin built, too.")] = False,
) -> int:
    """Clean up after a run whose guardian died as well.

    Heals faults, takes stacks down, removes work folders; never touches live runs. If something is left, names it and
    exits 70; run it again.
    """
    from tocsin.harness.cli.console import show
    from tocsin.harness.core.errors import BROKEN, PASS
    from tocsin.harness.engines.guardian.sweep import sweep as clean

    swept = clean()
    show(*sentences(swept) or ["Nothing was left behind."])
    if images:
        from tocsin.harness.engines.compose.docker_engine import find_docker
        from tocsin.harness.engines.compose.images import sweep_images

        removed = sweep_images(find_docker())
        show(*[f"Removed image {image}." for image in removed] or ["No image that Tocsin built is here."])
    return BROKEN if any(run.left for run in swept) else PASS


def sentences(swept: Iterable[SweptRun]) -> list[str]:
    """Return what was done after each dead run, and what is left, in words."""
    lines = []
    for run in swept:
        done = []
        if run.killed:
            done.append(f"{run.killed} process{'es' * (run.killed != 1)} ended")
        if run.healed:
            done.append(f"healed: {', '.join(run.healed)}")
        in_part = " in part" if run.left else ""
        details = f" ({'; '.join(done)})" if done else ""
        lines.append(f"Cleaned up{in_part} after run {run.run_id}{details}.")
        lines += [f"Run {run.run_id}: {sentence}" for sentence in run.left]
        if run.left:
            lines.append("Something is left: run `tocsin sweep` again, as the user who ran the drill.")
    return lines
