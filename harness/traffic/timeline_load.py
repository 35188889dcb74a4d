"""From a timeline to the generator's plan: every phase in wall seconds, with the load that its pacer asks for."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.declarations.timeline import PlannedPhase, Timeline
from tocsin.harness.planning import locust_user_file
from tocsin.harness.traffic.pacers.replay import Replay, find


def traffic_plan(timeline: Timeline, sending: Mapping[str, object]) -> dict[str, object]:
    """Return the plan of one traffic process, ready for JSON; `sending` is what all processes that send need."""
    return {
        **sending,
        "worker": 1,
        **_users(timeline),
        "phases": [_phase(timeline, phase) for phase in timeline.phases],
    }


def _users(timeline: Timeline) -> dict[str, str]:
    traffic, folder = timeline.scenario.traffic, timeline.scenario.folder
    custom = locust_user_file.split(traffic.users, folder)
    users = traffic.users if custom is None else f"{custom[0]}:{custom[1]}"
    return {"users": users, "client": traffic.client}


def _phase(timeline: Timeline, phase: PlannedPhase) -> dict[str, object]:
    planned: dict[str, object] = {
        "name": phase.name,
        "start_s": phase.start_s / timeline.speed,
        "end_s": phase.end_s / timeline.speed,
        "asked": phase.paced.asked.model_dump(mode="json"),
        "payload": dict(phase.payload),
    }
    if isinstance(phase.paced.args, Replay):
        folders = (timeline.scenario.folder, timeline.stack.folder)
        path = find(phase.paced.args.file, folders).resolve()
        planned["recording"] = {"path": str(path), "from_s": phase.paced.from_s, "speed": timeline.speed}
    return planned
