"""alertmanager.yml for one run: every integration becomes a webhook to the pager, timers are divided, secrets go."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.untyped_data import items, mapping, mappings

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


def render_alertmanager(content: Mapping[str, object], *, pager: str, speed: float) -> dict[str, object]:
    """Return alertmanager.yml's content for a run at `speed`; `pager` is `127.0.0.1:port`.

    Routes, matchers and inhibitions stay. Of `global` only resolve_timeout stays: the rest is secrets and addresses of
    integrations that no longer exist. StackError for an unknown integration, or a time of day at a speed above 1.
    """
    resolve_timeout = mapping(content.get("global")).get("resolve_timeout", "5m")
    return {
        **content,
        "global": {"resolve_timeout": _divided(resolve_timeout, speed)},
        "route": _route({**_DEFAULT_TIMERS, **mapping(content.get("route"))}, speed),
        "receivers": [_receiver(receiver, pager) for receiver in mappings(content.get("receivers"))],
    }


def _divided(text: object, speed: float) -> str:
    seconds = parse_duration(str(text))
    if not seconds:
        return format_duration(0.0)  # 0 turns a wait off
    return format_duration(max(seconds / speed, 0.001))


def _route(route: Mapping[str, object], speed: float) -> dict[str, object]:
    for name in ("mute_time_intervals", "active_time_intervals"):
        if route.get(name) and speed != 1:
            hint = "Play this at --speed 1."
            raise StackError(f"{_FILE}: a route has {name}, and no speed divides the time of day.", hint=hint)
    rendered = {**route, **{name: _divided(route[name], speed) for name in _DEFAULT_TIMERS if name in route}}
    if route.get("routes"):
        rendered["routes"] = [_route(child, speed) for child in mappings(route["routes"])]
    return rendered


def _receiver(receiver: Mapping[str, object], pager: str) -> dict[str, object]:
    name = str(receiver["name"])
    url = f"http://{pager}/{quote(name, safe='')}"
    webhooks = []
    for kind, integrations in receiver.items():
        for integration in map(mapping, items(integrations)):
            send_resolved = integration.get("send_resolved", _default(name, kind))
            webhooks.append({"url": url, "send_resolved": send_resolved})
    if not webhooks:
        return {"name": name}
    return {"name": name, "webhook_configs": webhooks}


def _default(receiver: str, kind: str) -> bool:
    if kind not in SEND_RESOLVED:
        known = ", ".join(SEND_RESOLVED)
        raise StackError(f"{_FILE}: receiver {receiver!r} has {kind}; known integrations are {known}.")
    return SEND_RESOLVED[kind]
