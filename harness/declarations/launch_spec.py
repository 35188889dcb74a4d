"""How an engine starts a role of a stack, and how to tell that it is up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.legacy_modules import renewed


class Health(Frozen):
    """How to tell that a role is up: an HTTP path that answers 200, or a file that exists; wall seconds."""

    http: str | None = None
    file: str | None = None
    within_s: float = 30.0


class LocalStart(Frozen):
    """How the local engine starts a role. Strings may hold the placeholders listed in stack.yaml."""

    argv: Annotated[tuple[str, ...], AfterValidator(renewed)]
    program: str | None = None
    modules_flag: str | None = None
    cwd: str | None = None
    env: Mapping[str, str] = {}
    folders: tuple[str, ...] = ()
    copy_files: Mapping[str, str] = Field(default={}, alias="copy")
    put: Mapping[str, str] = {}
    health: Health = Health()
    stop_s: float = 3.0


class ComposeStart(Frozen):
    """What the compose file cannot say of a role's service. Strings may hold the placeholders listed in stack.yaml.

    `env` is added to the service's environment, `args` to its command (a flag of the same name is replaced); `folders`
    of this machine are made before it starts, open to every user; `put` is handed in once it is healthy. `health` is
    how Tocsin tells that it is up, else the local engine's, else the container's own health check.
    """

    env: Mapping[str, str] = {}
    args: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    put: Mapping[str, str] = {}
    health: Health | None = None


class ComposeVariant(Frozen):
    """A variant of the compose stack: further files, and its profiles if they differ."""

    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] | None = None


class ComposeFiles(Frozen):
    """The compose files of a stack folder, the profiles that a run starts, and variants by name."""

    files: tuple[str, ...] = ("compose.yaml",)
    profiles: tuple[str, ...] = ()
    variants: Mapping[str, ComposeVariant] = {}
