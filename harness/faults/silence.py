"""Creates and expires a silence through Alertmanager's API; the witness reads the list of those in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import model_validator

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.check_arguments import AlertName
from tocsin.harness.declarations.fault_contract import Fault, Params, Witness, absent, present
from tocsin.harness.declarations.stack_interface import LiveStack

ROLE = "alertmanager"
_LONGEST = timedelta(hours=12)


class SilenceParams(Params):
    """What is held back: an `alert`, alerts that carry `labels`, or both together."""

    alert: AlertName | None = None
    labels: Mapping[str, str] = {}
    example = {"alert": "HighErrorRate"}

    @model_validator(mode="after")
    def _something(self) -> SilenceParams:
        if self.alert is None and not self.labels:
            raise ValueError("expected `alert`, `labels` or both")
        return self


class Silence(Fault):
    """A maintenance silence holds an alert back."""

    params: SilenceParams
    separate = True

    def needs(self) -> tuple[str, ...]:
        """Return Alertmanager."""
        return (f"role:{ROLE}",)

    def inject(self, live: LiveStack) -> None:
        """Create it, unless it is in force already; StackError if Alertmanager does not take it."""
        if self._silences(live, "active", "pending"):
            return
        now = datetime.now(UTC)
        wanted = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in self._labels().items()
            ],
            "startsAt": now.isoformat(),
            "endsAt": (now + _LONGEST).isoformat(),
            "createdBy": live.run_id,
            "comment": "a drill's maintenance",
        }
        status, text = call("POST", live.address(ROLE), "/api/v2/silences", body=wanted)
        if status != 200:
            raise StackError(f"Alertmanager answered {status} to a silence: {text[:200]}")

    def heal(self, live: LiveStack) -> None:
        """Expire it. An Alertmanager that is down holds nothing back; HealError if one that is up refuses."""
        try:
            for silence in self._silences(live, "active", "pending"):
                status, text = call("DELETE", live.address(ROLE), f"/api/v2/silence/{silence}")
                if status != 200:
                    raise HealError(f"Alertmanager answered {status} to the end of a silence: {text[:200]}")
        except OSError as error:
            if live.alive(ROLE):
                raise HealError(f"Alertmanager cannot be asked to end a silence: {error}.") from None

    def witness(self, live: LiveStack) -> Witness:
        """Read which silences are in force."""
        labels = ", ".join(f"{name}={value}" for name, value in self._labels().items())
        if self._silences(live, "active"):
            return present(f"a silence of {labels} is in force")
        return absent(f"no silence of {labels} is in force")

    def _labels(self) -> dict[str, str]:
        """Return the labels of the alerts that are held back."""
        if self.params.alert is None:
            return dict(self.params.labels)
        return {"alertname": self.params.alert, **self.params.labels}

    def _silences(self, live: LiveStack, *states: str) -> list[str]:
        """Return the ids of silences with exactly these labels in one of the states."""
        status, text = call("GET", live.address(ROLE), "/api/v2/silences")
        if status != 200:
            raise StackError(f"Alertmanager answered {status} when asked for its silences.")
        ids = []
        for silence in json.loads(text):
            labels = {matcher["name"]: matcher["value"] for matcher in silence["matchers"]}
            if silence["status"]["state"] in states and labels == self._labels():
                ids.append(silence["id"])
        return ids
