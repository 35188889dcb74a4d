"""A stack's compose files as Compose resolves them, and the offset of the containers' clock."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime

from tocsin.harness.core.errors import Mistake, StackError, UsageError
from tocsin.harness.declarations.launch_spec import ComposeFiles
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.compose.compose_validation import ComposeObject
from tocsin.harness.engines.compose.docker_engine import Docker
from tocsin.harness.engines.compose.removal import call_engine

_CONFIG_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Project:
    """The compose files of a stack, in one of its variants."""

    stack: Stack
    variant: str | None = None

    def arguments(self) -> list[str]:
        """Return the arguments of `docker compose` that name them.

        UsageError for an unknown variant, StackError for files that the stack does not have.
        """
        declared = self.stack.compose or ComposeFiles()
        if self.variant is not None and self.variant not in declared.variants:
            known = ", ".join(f"compose:{name}" for name in declared.variants) or "compose, without variants"
            where, value = f"compose variant of stack {self.stack.name}", f"compose:{self.variant}"
            raise UsageError([Mistake(file="--engine", line=0, where=where, value=value, expected=known)])
        files, profiles = declared.files, declared.profiles
        if self.variant:
            variant = declared.variants[self.variant]
            files = (*files, *variant.files)
            if variant.profiles is not None:
                profiles = variant.profiles
        home = self.stack.folder.absolute()
        if absent := [file for file in files if not (home / file).is_file()]:
            message = f"Stack {self.stack.name!r} has no {', '.join(absent)}, so it cannot run under Compose."
            raise StackError(message, hint="Name its files in stack.yaml's compose, or play with `--engine local`.")
        arguments = ["--project-directory", str(home)]
        for file in files:
            arguments += ["-f", str(home / file)]
        for profile in profiles:
            arguments += ["--profile", profile]
        return arguments

    def read(self, docker: Docker, run: Run) -> tuple[ComposeObject, ComposeObject]:
        """Return the compose file as Compose resolves it, and the same before variables are filled in."""
        argv = ["compose", "-p", run.id, *self.arguments(), "config", "--format", "json"]
        config = json.loads(docker.run(argv, within_s=_CONFIG_S))
        return config, json.loads(docker.run([*argv, "--no-interpolate"], within_s=_CONFIG_S))


def clock_offset(host: str) -> dict[str, object]:
    """Return how far the clock of the containers' kernel is ahead of ours, and how uncertain that is, in seconds."""
    before = time.time()
    try:
        content = json.loads(call_engine(host, "GET", "/info")[1])
        there = datetime.fromisoformat(str(content["SystemTime"])).timestamp()
    except (OSError, ValueError, KeyError) as error:
        return {"offset_s": None, "detail": f"{type(error).__name__}: {error}"}
    after = time.time()
    return {"offset_s": round(there - (before + after) / 2, 4), "uncertain_s": round((after - before) / 2, 4)}
