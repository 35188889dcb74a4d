"""tocsin sweep: cleans up after runs that were killed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.harness.engines.guardian.sweep import Swept


def sweep(
    images: Annotated[bool, typer.Option("--images", help="Remove the Docker images that Tocsin built, too.")] = False,
) -> int:
    """Clean up after runs that were killed: heal, take down, remove. Live runs are never touched.

    Exits 70 if something is left, which is named; run it again.
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
    return BROKEN if any(one.left for one in swept) else PASS


def sentences(swept: Iterable[Swept]) -> list[str]:
    """Return what was done after each dead run, and what could not be, in words."""
    said = []
    for one in swept:
        killed = [f"{one.killed} process{'es' * (one.killed != 1)} ended"] if one.killed else []
        healed = [f"healed: {', '.join(one.healed)}"] if one.healed else []
        done = f" ({'; '.join(killed + healed)})" if killed or healed else ""
        said.append(f"Cleaned up{' in part' if one.left else ''} after run {one.run_id}{done}.")
        said += [f"Run {one.run_id}: {sentence}" for sentence in one.left]
        said += ["Something is left: run `tocsin sweep` again, as the user who ran the drill."] if one.left else []
    return said
