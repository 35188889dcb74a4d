"""A maintenance silence: Alertmanager is told to hold an alert back, and no longer at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.references import Ref
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params, Witness

ROLE = "alertmanager"
_LONGEST = timedelta(hours=12)


class SilenceParams(Params):
    """What is held back: an `alert`, alerts that carry `labels`, or both together."""

    alert: Annotated[str, Ref(kind="alert")] | None = None
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _something(self) -> SilenceParams:
        if self.alert is None and not self.labels:
            raise ValueError("expected `alert`, `labels` or both")
        return self


class Silence:
    """Creates and expires a silence through Alertmanager's API; the witness reads the list of those in force."""

    kind: ClassVar[str] = "silence"
    summary: ClassVar[str] = "A maintenance silence holds an alert back."
    separate: ClassVar[bool] = True
    """Silences of other alerts leave each other alone."""
    Params: ClassVar[type[Params]] = SilenceParams

    def __init__(self, params: SilenceParams) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return Alertmanager."""
        return (f"role:{ROLE}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: what is silenced is still seen."""
        return ()

    def inject(self, live: LiveStack) -> None:
        """Create it, unless it is in force already; StackError if Alertmanager does not take it."""
        if self._found(live, "active", "pending"):
            return
        now = datetime.now(UTC)
        wanted = {
            "matchers": self._matchers(),
            "startsAt": now.isoformat(),
            "endsAt": (now + _LONGEST).isoformat(),
            "createdBy": live.run_id,
            "comment": "a drill's maintenance",
        }
        status, text = call("POST", live.address(ROLE), "/api/v2/silences", wanted)
        if status != 200:
            raise StackError(f"Alertmanager answered {status} to a silence: {text[:200]}")

    def heal(self, live: LiveStack) -> None:
        """Expire it. An Alertmanager that is down holds nothing back; HealError if one that is up refuses."""
        try:
            for one in self._found(live, "active", "pending"):
                status, text = call("DELETE", live.address(ROLE), f"/api/v2/silence/{one['id']}")
                if status != 200:
                    raise HealError(f"Alertmanager answered {status} to the end of a silence: {text[:200]}")
        except OSError as error:
            if live.alive(ROLE):
                raise HealError(f"Alertmanager cannot be asked to end a silence: {error}.") from None

    def witness(self, live: LiveStack) -> Witness:
        """Read which silences are in force."""
        found = self._found(live, "active")
        what = ", ".join(f"{name}={value}" for name, value in self._wanted().items())
        if found:
            return Witness(state="present", detail=f"a silence of {what} is in force")
        return Witness(state="absent", detail=f"no silence of {what} is in force")

    def _wanted(self) -> dict[str, str]:
        named = {"alertname": self.params.alert} if self.params.alert else {}
        return {**named, **self.params.labels}

    def _matchers(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in self._wanted().items()
        ]

    def _found(self, live: LiveStack, *states: str) -> list[dict[str, Any]]:
        status, text = call("GET", live.address(ROLE), "/api/v2/silences")
        if status != 200:
            raise StackError(f"Alertmanager answered {status} when asked for its silences.")
        mine = {(one["name"], one["value"]) for one in self._matchers()}
        return [
            one
            for one in json.loads(text)
            if one["status"]["state"] in states and {(m["name"], m["value"]) for m in one["matchers"]} == mine
        ]
