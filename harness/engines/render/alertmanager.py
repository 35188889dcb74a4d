"""alertmanager.yml for one run: every integration becomes a webhook to the pager, timers are divided, secrets go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import StackError

SEND_RESOLVED: Mapping[str, bool] = {
    "discord_configs": True,
    "email_configs": False,
    "incidentio_configs": True,
    "jira_configs": True,
    "mattermost_configs": True,
    "msteams_configs": True,
    "msteamsv2_configs": True,
    "opsgenie_configs": True,
    "pagerduty_configs": True,
    "pushover_configs": True,
    "rocketchat_configs": False,
    "slack_configs": False,
    "sns_configs": True,
    "telegram_configs": True,
    "victorops_configs": True,
    "webex_configs": True,
    "webhook_configs": True,
    "wechat_configs": False,
}
"""What `send_resolved` is when an integration does not say (Alertmanager's documentation, one section each)."""

_DEFAULT_TIMERS = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
_FILE = "alertmanager.yml"


def render_alertmanager(content: Mapping[str, Any], *, pager: str, speed: float) -> dict[str, Any]:
    """Return alertmanager.yml's content for a run at `speed`; `pager` is `127.0.0.1:port`.

    Routes, matchers and inhibitions stay. Of `global` only resolve_timeout stays: the rest is secrets and addresses of
    integrations that no longer exist. StackError for an integration nobody knows, or a time of day at a speed.
    """
    settings = content.get("global") or {}
    rendered = dict(content)
    rendered["global"] = {"resolve_timeout": _divided(settings.get("resolve_timeout", "5m"), speed)}
    rendered["route"] = _route({**_DEFAULT_TIMERS, **(content.get("route") or {})}, speed)
    rendered["receivers"] = [_receiver(receiver, pager) for receiver in content.get("receivers") or ()]
    return rendered


def _divided(text: Any, speed: float) -> str:
    seconds = parse_duration(str(text))
    return format_duration(max(seconds / speed, 0.001) if seconds else 0.0)


def _route(route: Mapping[str, Any], speed: float) -> dict[str, Any]:
    for name in ("mute_time_intervals", "active_time_intervals"):
        if route.get(name) and speed != 1:
            raise StackError(
                f"{_FILE}: a route has {name}, and no speed divides the time of day.", hint="Play this at --speed 1."
            )
    rendered = {**route, **{name: _divided(route[name], speed) for name in _DEFAULT_TIMERS if name in route}}
    if route.get("routes"):
        rendered["routes"] = [_route(child, speed) for child in route["routes"]]
    return rendered


def _receiver(receiver: Mapping[str, Any], pager: str) -> dict[str, Any]:
    name = str(receiver["name"])
    url = f"http://{pager}/{quote(name, safe='')}"
    webhooks = [
        {"url": url, "send_resolved": integration.get("send_resolved", _default(name, kind))}
        for kind, integrations in receiver.items()
        if kind != "name"
        for integration in integrations or ()
    ]
    return {"name": name, **({"webhook_configs": webhooks} if webhooks else {})}


def _default(receiver: str, kind: str) -> bool:
    if kind not in SEND_RESOLVED:
        known = ", ".join(SEND_RESOLVED)
        raise StackError(f"{_FILE}: receiver {receiver!r} has {kind}; known integrations are {known}.")
    return SEND_RESOLVED[kind]
