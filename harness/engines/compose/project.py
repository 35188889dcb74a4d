"""What is asked of Compose and of the engine before a run: what the files come to, and what time it is there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.harness.core.errors import Mistake, StackError, UsageError
from tocsin.harness.declarations.launch_spec import ComposeFiles
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.compose.docker_engine import Docker
from tocsin.harness.engines.compose.take_down import ask

_CONFIG_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Project:
    """The compose files of a stack, in one of its variants."""

    stack: Stack
    variant: str | None = None

    def arguments(self) -> list[str]:
        """Return what `docker compose` is told to find them.

        UsageError for a variant that there is not, StackError for a stack without such files.
        """
        declared = self.stack.compose or ComposeFiles()
        if self.variant is not None and self.variant not in declared.variants:
            known = ", ".join(f"compose:{name}" for name in declared.variants) or "compose, without variants"
            where, value = f"compose variant of stack {self.stack.name}", f"compose:{self.variant}"
            raise UsageError([Mistake(file="--engine", line=0, where=where, value=value, expected=known)])
        variant = declared.variants[self.variant] if self.variant else None
        files = (*declared.files, *(variant.files if variant else ()))
        profiles = variant.profiles if variant and variant.profiles is not None else declared.profiles
        home = self.stack.folder.absolute()
        if absent := [file for file in files if not (home / file).is_file()]:
            raise StackError(
                f"Stack {self.stack.name!r} has no {', '.join(absent)}, so it cannot run under Compose.",
                hint="Name its files in stack.yaml's compose, or play with `--engine local`.",
            )
        told = ["--project-directory", str(home)]
        for file in files:
            told += ["-f", str(home / file)]
        for profile in profiles:
            told += ["--profile", profile]
        return told

    def read(self, docker: Docker, run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what Compose makes of the files, and the same before variables are filled in."""
        told = ["compose", "-p", run.id, *self.arguments(), "config", "--format", "json"]
        config = json.loads(docker.run(told, within_s=_CONFIG_S))
        return config, json.loads(docker.run([*told, "--no-interpolate"], within_s=_CONFIG_S))


def clock_offset(host: str) -> dict[str, Any]:
    """Return how far the engine's clock is ahead of ours and how sure that is, in seconds; containers share it."""
    before = time.time()
    try:
        content = json.loads(ask(host, "GET", "/info")[1])
        there = datetime.fromisoformat(str(content["SystemTime"])).timestamp()
    except (OSError, ValueError, KeyError) as error:
        return {"offset_s": None, "detail": f"{type(error).__name__}: {error}"}
    after = time.time()
    return {"offset_s": round(there - (before + after) / 2, 4), "uncertain_s": round((after - before) / 2, 4)}
