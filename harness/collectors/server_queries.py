"""Queries to Prometheus and Alertmanager, over one kept-alive session each, with timeouts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.declarations.stack_interface import LiveStack

_TIMEOUT_S = 5
_BULK_TIMEOUT_S = 8
_GROUP_INTERVAL = re.compile(r"^[\s-]*group_interval:\s*['\"]?([0-9a-z.]+)", re.MULTILINE)
_GROUP_INTERVAL_S = 300.0
"""Alertmanager's default."""
_RETRY = Retry(total=2, read=0, backoff_factor=0.1, status_forcelist=(429, 502, 503, 504))


JsonObject = dict[str, Any]
"""An object in a server's answer."""


class QueryRefused(Exception):
    """A query that Prometheus refuses; the message is its own sentence."""


class _Api:
    """The HTTP API of one role. Every method raises what its HTTP client raises."""

    def __init__(self, live: LiveStack, role: str) -> None:
        self.url = f"http://{live.address(role)}"
        self._session = requests.Session()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self.url}{path}", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


class Prometheus(_Api):
    """The Prometheus of a stack."""

    def __init__(self, live: LiveStack) -> None:
        super().__init__(live, "prometheus")
        self._client = PrometheusConnect(url=self.url, session=self._session, timeout=_TIMEOUT_S, retry=_RETRY)

    def values(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """Return (labels, value) of an instant query now."""
        return [(series["metric"], float(series["value"][1])) for series in self._client.custom_query(query)]

    def samples(self, until: float, seconds: float) -> list[JsonObject]:
        """Return every sample of every series in the `seconds` before `until` (epoch seconds), as Prometheus has them.

        A range selector in an instant query gives the recorded times; a range query would give times of its own.
        """
        query = f'{{__name__=~".+"}}[{format_duration(seconds)}]'
        at = {"time": f"{until:.3f}"}
        return list(self._client.custom_query(query, params=at, timeout=_BULK_TIMEOUT_S))

    def scrape_interval_s(self) -> float:
        """Return the longest scrape interval of the active targets, 0 when there is none."""
        targets = self._client.get_targets(state="active")["activeTargets"]
        return max((parse_duration(target["scrapeInterval"]) for target in targets), default=0.0)

    def over(self, query: str, start: float, end: float, step_s: float) -> list[JsonObject]:
        """Return the series of a range query from `start` to `end` (epoch seconds); QueryRefused if it is wrong."""
        params = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:.3f}"}
        return list(self._query("/api/v1/query_range", params)["result"])

    def label_values(self, label: str, selector: str, start: float) -> list[str]:
        """Return the values of a label since `start` (epoch seconds), of the series that `selector` names if any."""
        params = {"start": f"{start:.3f}"}
        if selector:
            params["match[]"] = selector
        return [str(value) for value in self._query(f"/api/v1/label/{label}/values", params)]

    def declared(self) -> dict[str, str]:
        """Return metric -> type (`counter`, `histogram`) as the targets declare them, those without a sample too."""
        metadata = self._get("/api/v1/metadata")["data"]
        return {name: str(types[0].get("type", "")) for name, types in metadata.items() if types}

    def last_evaluations(self) -> dict[str, float]:
        """Return rule group -> epoch seconds of its last evaluation."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return {group["name"]: datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups}

    def _query(self, path: str, params: Mapping[str, str]) -> Any:
        """Return the content of an answer; QueryRefused with the server's sentence if it is an error."""
        answer = self._session.get(f"{self.url}{path}", params=params, timeout=_TIMEOUT_S)
        try:
            content = answer.json()
        except ValueError:
            answer.raise_for_status()
            raise
        if content.get("status") != "success":
            raise QueryRefused(" ".join(str(content.get("error") or answer.reason).split())[:300])
        return content["data"]


class Alertmanager(_Api):
    """The Alertmanager of a stack."""

    def __init__(self, live: LiveStack) -> None:
        super().__init__(live, "alertmanager")

    def alerts(self) -> list[JsonObject]:
        """Return the alerts it holds, silenced and inhibited ones included."""
        return list(self._get("/api/v2/alerts"))

    def group_interval_s(self) -> float:
        """Return the longest group_interval of its routes in wall seconds: a resolved notice may come that late."""
        intervals = _GROUP_INTERVAL.findall(self._get("/api/v2/status")["config"]["original"])
        return max((parse_duration(text) for text in intervals), default=_GROUP_INTERVAL_S)
