"""The questions collectors put to Prometheus and Alertmanager, over one kept-alive session each, with bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.declarations.live_stack import LiveStack

_TIMEOUT_S = 5
_BULK_TIMEOUT_S = 8
_GROUP_INTERVAL = re.compile(r"^[\s-]*group_interval:\s*['\"]?([0-9a-z.]+)", re.MULTILINE)
_GROUP_INTERVAL_S = 300.0
"""Alertmanager's default."""
_RETRY = Retry(total=2, read=0, backoff_factor=0.1, status_forcelist=(429, 502, 503, 504))


class Refused(Exception):
    """A query that Prometheus refuses; the message is its own sentence."""


def _told(answer: requests.Response) -> Any:
    """Return the content of an answer of Prometheus; Refused with its sentence if it is an error."""
    try:
        content = answer.json()
    except ValueError:
        answer.raise_for_status()
        raise
    if content.get("status") != "success":
        raise Refused(" ".join(str(content.get("error") or answer.reason).split())[:300])
    return content["data"]


class Prometheus:
    """The Prometheus of a stack. Every method raises what its HTTP client raises."""

    def __init__(self, live: LiveStack) -> None:
        self.url = f"http://{live.address('prometheus')}"
        self._session = requests.Session()
        self._client = PrometheusConnect(url=self.url, session=self._session, timeout=_TIMEOUT_S, retry=_RETRY)

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def values(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """Return (labels, value) of an instant query now."""
        return [(one["metric"], float(one["value"][1])) for one in self._client.custom_query(query)]

    def samples(self, until: float, seconds: float) -> list[dict[str, Any]]:
        """Return every sample of every series in the `seconds` before `until` (epoch seconds), as Prometheus has them.

        A range selector in an instant query gives the recorded times; a range query would give times of its own.
        """
        query = f'{{__name__=~".+"}}[{format_duration(seconds)}]'
        at = {"time": f"{until:.3f}"}
        found: list[dict[str, Any]] = self._client.custom_query(query, params=at, timeout=_BULK_TIMEOUT_S)
        return found

    def scrape_interval_s(self) -> float:
        """Return the longest scrape interval of the active targets, 0 when there is none."""
        targets = self._client.get_targets(state="active")["activeTargets"]
        return max((parse_duration(target["scrapeInterval"]) for target in targets), default=0.0)

    def over(self, query: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """Return the series of a range query (epoch seconds); Refused with Prometheus's sentence if it is wrong."""
        asked = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:.3f}"}
        answer = self._session.get(f"{self.url}/api/v1/query_range", params=asked, timeout=_TIMEOUT_S)
        found: list[dict[str, Any]] = _told(answer)["result"]
        return found

    def label_values(self, label: str, selector: str, start: float) -> list[str]:
        """Return the values of a label since `start` (epoch seconds), of the series that `selector` names if any."""
        asked = {"start": f"{start:.3f}", **({"match[]": selector} if selector else {})}
        answer = self._session.get(f"{self.url}/api/v1/label/{label}/values", params=asked, timeout=_TIMEOUT_S)
        return [str(value) for value in _told(answer)]

    def declared(self) -> dict[str, str]:
        """Return metric -> type (`counter`, `histogram`) as the targets declare them, those without a sample too."""
        answer = self._session.get(f"{self.url}/api/v1/metadata", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        return {name: str(told[0].get("type", "")) for name, told in answer.json()["data"].items() if told}

    def last_evaluations(self) -> dict[str, float]:
        """Return rule group -> epoch seconds of its last evaluation."""
        answer = self._session.get(f"{self.url}/api/v1/rules", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        groups = answer.json()["data"]["groups"]
        return {group["name"]: datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups}


class Alertmanager:
    """The Alertmanager of a stack."""

    def __init__(self, live: LiveStack) -> None:
        self.url = f"http://{live.address('alertmanager')}"
        self._session = requests.Session()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts it holds, silenced and inhibited ones included; raises what its HTTP client raises."""
        answer = self._session.get(f"{self.url}/api/v2/alerts", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def group_interval_s(self) -> float:
        """Return the longest group_interval of its routes in wall seconds: that late may a resolved notice come."""
        answer = self._session.get(f"{self.url}/api/v2/status", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        named = _GROUP_INTERVAL.findall(answer.json()["config"]["original"])
        return max((parse_duration(text) for text in named), default=_GROUP_INTERVAL_S)
