"""Warnings of a plan: what the stack cannot meet although the drill can be played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.alert_timing import Floor
from tocsin.harness.planning.detection_bounds import Plan, fires

FLAGS: Mapping[str, str] = {
    "--query.lookback-delta": "5m",
    "--rules.alert.resend-delay": "1m",
    "--rules.alert.for-grace-period": "10m",
    "--rules.alert.for-outage-tolerance": "1h",
}
"""Durations of Prometheus that stand in no file, with their defaults."""


def warnings(plan: Plan, expected: Sequence[Floor]) -> Iterator[str]:
    """Yield what the stack cannot meet, and by how much; such a drill is still played and judged."""
    for floor in expected:
        name, bound = f"{floor.alert} in {floor.where}", format_duration(round(floor.allowed_s))
        if floor.hopeless:
            yield f"{name} cannot fire: {floor.hopeless}."
        elif floor.total_s > floor.allowed_s:
            over = format_duration(max(round(floor.total_s - floor.allowed_s), 1))
            yield f"{name} cannot be seen within {bound}: its floor is {over} later."
        elif floor.cold_s >= 1:
            sooner = format_duration(round(floor.cold_s))
            yield f"{name}: the history before it is shorter than its window, so it may come up to {sooner} too soon."
    for alert in sorted({args.alert for args in fires(plan.scenario)}):
        rules = plan.monitoring.alert(alert)
        if rules and not any(rule.loaded for rule in rules):
            yield f"{alert} stands in {rules[0].file}, which prometheus.yml does not load."
    yield from _unreached(plan)
    yield from _undivided(plan)


def _unreached(plan: Plan) -> Iterator[str]:
    """Yield the receivers that no route leads the expected alert to."""
    for args in fires(plan.scenario):
        rules = [rule for rule in plan.monitoring.alert(args.alert) if rule.loaded]
        if args.delivered_to is None or not rules:
            continue
        ends = [reached.route for rule in rules for reached in plan.monitoring.reached(rule, args.labels)]
        receivers = list(dict.fromkeys(route.receiver for route in ends))
        if args.delivered_to not in receivers:
            led = ", ".join(receivers) or "no receiver"
            yield f"{args.alert} is not led to {args.delivered_to}: its routes end at {led}."


def _undivided(plan: Plan) -> Iterator[str]:
    """Prometheus's own durations are flags: those that a stack leaves to their default stay as long at any speed."""
    for name, role in plan.stack.roles.items():
        if plan.speed == 1 or role.local is None or role.local.program != "prometheus":
            continue
        given = dict(part.split("=", 1) for part in role.local.argv if part.startswith("--") and "=" in part)
        for flag, default in FLAGS.items():
            if "{duration:" not in given.get(flag, ""):
                value = given.get(flag, f"its default of {default}")
                yield f"{name} keeps {flag} at {value} at any speed; write {flag}={{duration:{default}}} in stack.yaml."
