import pytest

from tests.evidence.build import START, build, firing, steady, together
from tests.evidence.rendered import alert, write

HIGH = 'High{severity="page"}'
WATCHDOG = firing("Watchdog", start=0.3, end=61.3)


def read(tmp_path, *series, **more):
    return build(tmp_path / "run", series=together(*series), **more).alerts


def times(episodes):
    return [
        tuple(None if at is None else round(at - START, 3) for at in (e.pending_at, e.start, e.end)) for e in episodes
    ]


def suppressed(at, state="suppressed", by="inhibitedBy", **labels):
    row = {"at": at, "fingerprint": "f", "state": state, "labels": {"alertname": "High", "severity": "page", **labels}}
    return {**row, "inhibitedBy": [], "silencedBy": [], by: ["x"] if state == "suppressed" else []}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([firing(HIGH, pending=10, start=15, end=20)], [(10, 15, 20)]),
        ([firing(HIGH, start=15, end=20)], [(None, 15, 20)]),
        ([firing(HIGH, start=15, end=61)], [(None, 15, None)]),  # still firing at the last evaluation
        ([firing(HIGH, pending=1, start=5, end=9), firing(HIGH, start=25, end=29)], [(1, 5, 9), (None, 25, 29)]),
        ([firing(HIGH, start=15, end=20), firing(HIGH, start=21, end=25)], [(None, 15, 20), (None, 21, 25)]),  # one off
        ([firing(HIGH, pending=2, start=None, end=8), firing(HIGH, start=15, end=20)], [(None, 15, 20)]),
        ([firing(HIGH, start=15, end=16)], [(None, 15, 16)]),  # one single evaluation
        ([], []),
    ],
)  # fmt: skip
def test_episodes(tmp_path, given, expected):
    alerts = read(tmp_path, WATCHDOG, *given)
    assert times(alerts.episodes("High")) == expected
    assert alerts.last_evaluation - START >= 60


def test_what_stayed_pending_did_not_fire(tmp_path):
    alerts = read(tmp_path, WATCHDOG, firing(HIGH, pending=10, start=None, end=20))
    assert alerts.episodes("High") == ()
    assert times(alerts.never_fired) == [(10, 10, 20)]


def test_no_metrics_is_no_evaluation(tmp_path):
    alerts = read(tmp_path)
    assert (alerts.all, alerts.last_evaluation) == ((), None)


def test_episodes_are_chosen_by_name_and_labels(tmp_path):
    alerts = read(
        tmp_path, WATCHDOG, firing('Drift{feature="f1"}', start=5, end=9), firing('Drift{feature="f2"}', start=3, end=9)
    )
    assert [one.labels for one in alerts.episodes("Drift")] == [{"feature": "f2"}, {"feature": "f1"}]
    assert times(alerts.episodes("Drift", {"feature": "f1"})) == [(None, 5, 9)]
    assert alerts.episodes("Drift", {"feature": "f3"}) == ()
    assert len(alerts.episodes()) == 3


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (firing(HIGH, start=5, end=20), firing(HIGH, start=40, end=50), [(None, 5, 50)]),
        (firing(HIGH, start=5, end=20), firing(HIGH, pending=40, start=45, end=50), [(None, 5, 40), (40, 45, 50)]),
        (firing(HIGH, start=5, end=20), {}, [(None, 5, 40.3)]),
    ],
    ids=["it still fires", "it has to wait again", "it is gone"],
)
def test_a_hole_in_which_nothing_was_evaluated_ends_no_episode(tmp_path, before, after, expected):
    around = together(firing("Watchdog", start=0.3, end=20), firing("Watchdog", start=40.3, end=61))
    assert times(read(tmp_path, around, before, after).episodes("High")) == expected


def test_intervals_are_divided_by_the_speed(tmp_path):
    half = firing(HIGH, start=5, end=8, every=0.5), firing(HIGH, start=9, end=12, every=0.5)
    beat = firing("Watchdog", start=0.1, end=20, every=0.5)
    alerts = read(tmp_path, beat, *half, speed=30.0, run={"evaluation_interval_s": 15})
    assert times(alerts.episodes("High")) == [(None, 5, 8), (None, 9, 12)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([suppressed(15.4), suppressed(18.2, "active")], [(15, 18.2)]),  # never seen otherwise: from its first sample
        ([suppressed(15.4, "active"), suppressed(16.5), suppressed(20.4, "gone")], [(16.5, 20)]),
        ([suppressed(15.4)], [(15, 20)]),
        ([suppressed(15.4), suppressed(19.7, "gone")], [(15, 20)]),  # Alertmanager forgot it: held to the end
        ([suppressed(2.0), suppressed(5.0, "gone")], []),  # another episode
        ([suppressed(15.4, "active")], []),
        ([suppressed(15.4, severity="ticket")], []),  # another alert
        ([suppressed(15.4, cluster="a")], [(15, 20)]),  # external labels are added on the way
    ],
)
@pytest.mark.parametrize("by", ["inhibitedBy", "silencedBy"])
def test_what_alertmanager_held_back(tmp_path, rows, expected, by):
    rows = [{**row, "inhibitedBy": [], "silencedBy": [], by: row["inhibitedBy"]} for row in rows]
    alerts = read(tmp_path, WATCHDOG, firing(HIGH, start=15, end=20), alerts=rows)
    (episode,) = alerts.episodes("High")
    held, other = (
        (episode.inhibited, episode.silenced) if by == "inhibitedBy" else (episode.silenced, episode.inhibited)
    )
    assert [(round(one.start - START, 3), round(one.end - START, 3)) for one in held] == expected
    assert other == ()


def test_a_torn_transition_is_left_out(tmp_path):
    evidence = build(
        tmp_path / "run", series=together(WATCHDOG, firing(HIGH, start=15, end=20)), alerts=[suppressed(15.4)]
    )
    with (evidence.folder / "alerts.jsonl").open("a") as file:
        file.write('{"at": 1000016.0, "finger')
    assert len(evidence.alerts.episodes("High")[0].inhibited) == 1


def test_other_series_named_alerts_do_not_matter(tmp_path):
    alerts = read(tmp_path, WATCHDOG, {'ALERTS_FOR_STATE{alertname="High"}': steady(1, 0, 60)})
    assert alerts.episodes("High") == ()


def test_a_group_with_a_slower_interval_has_no_holes(tmp_path):
    write(tmp_path / "run", alert("High"), group={"interval": "5s"})
    slow = firing(HIGH, pending=5, start=10, end=30, every=5)
    (episode,) = read(tmp_path, WATCHDOG, slow).episodes("High")
    assert times((episode,)) == [(5, 10, 30)]
    (tmp_path / "global").mkdir()
    assert len(read(tmp_path / "global", WATCHDOG, slow).episodes("High")) == 4  # with the interval of the others


def test_who_inhibits_is_named(tmp_path):
    rows = [
        {"at": 1, "labels": {"alertname": "Down"}, "fingerprint": "d"},
        {**suppressed(15.4), "inhibitedBy": ["d", "unseen"]},
    ]
    (episode,) = read(tmp_path, WATCHDOG, firing(HIGH, start=15, end=20), alerts=rows).episodes("High")
    assert episode.inhibited_by == ("Down", "unseen")
