"""The generator's plan: a timeline in wall seconds, which its own model reads back."""

from pathlib import Path

from tests.planning.test_planner import planned
from tocsin.harness.traffic.load_plan import TrafficPhase
from tocsin.harness.traffic.timeline_load import traffic_plan


def phases(folder: Path, arrivals: str, speed: float = 30) -> list[TrafficPhase]:
    own = ("{rate_per_s: 10}", f"{{rate_per_s: 10, arrivals: {arrivals}}}")
    plan = traffic_plan(planned(folder, own, speed=speed), {"run_id": "r"})
    return [TrafficPhase.model_validate(phase) for phase in plan["phases"]]


def test_what_a_pacer_asks_for_reaches_the_generator(tmp_path: Path) -> None:
    *_, recovery = phases(tmp_path, "{steps: {rates_per_s: [1, 3], gaps: constant}}")
    assert (recovery.start_s, recovery.end_s) == (30, 40)
    assert (recovery.asked.t_s, recovery.asked.rate_per_s) == ((0, 5, 5, 10), (1, 1, 3, 3))
    assert recovery.asked.gaps == "constant" and recovery.recording is None


def test_a_recording_travels_as_a_path_and_the_speed_that_thins_it(tmp_path: Path) -> None:
    (tmp_path / "arrivals.txt").write_text("0\n1\n2\n")
    *_, recovery = phases(tmp_path, "{replay: {file: arrivals.txt}}")
    assert recovery.recording is not None and recovery.recording.path == (tmp_path / "arrivals.txt").resolve()
    assert (recovery.recording.speed, recovery.recording.from_s, recovery.asked.gaps) == (30, 0, "recorded")


def test_a_recording_of_the_whole_drill_goes_on_from_phase_to_phase(tmp_path: Path) -> None:
    (tmp_path / "arrivals.txt").write_text("".join(f"{second}\n" for second in range(1200)))
    whole = ("timeline:", "traffic: {arrivals: {replay: {file: arrivals.txt}}}\ntimeline:")
    plan = traffic_plan(planned(tmp_path, whole, speed=1), {})
    assert [phase["recording"]["from_s"] for phase in plan["phases"]] == [0, 300, 900]
    assert [TrafficPhase.model_validate(phase).asked.total for phase in plan["phases"]] == [300, 600, 300]


def test_the_users_of_the_scenario_are_named(tmp_path: Path) -> None:
    plan = traffic_plan(planned(tmp_path), {"run_id": "r"})
    assert (plan["run_id"], plan["worker"], plan["users"], plan["client"]) == ("r", 1, "predict", "keepalive")
