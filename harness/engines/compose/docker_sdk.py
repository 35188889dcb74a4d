"""Calls to the Docker engine through its SDK: their errors, and the containers of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.errors import DockerException

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.compose.removal import LABEL, SERVICE_LABEL

EngineObject = dict[str, Any]
"""An object that the Docker engine answers with."""


@contextmanager
def docker_errors(action: str) -> Iterator[None]:
    """Turn an error of the Docker engine into a StackError that says which action failed."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        reason = getattr(error, "explanation", None) or error
        raise StackError(f"The Docker engine did not {action}: {reason}.") from None


def list_containers(api: docker.APIClient, run_id: str) -> dict[str, EngineObject]:
    """Return service -> what the Docker engine lists of its container, for all of a run, ended ones included."""
    with docker_errors("list the containers"):
        rows = api.containers(all=True, filters={"label": f"{LABEL}={run_id}"})
    return {row["Labels"].get(SERVICE_LABEL, row["Id"]): row for row in rows}
