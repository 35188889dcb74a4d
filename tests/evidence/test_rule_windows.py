"""How far back an expression looks, and what a short history does to its alert."""

import pytest

from tocsin.harness.evidence.rule_windows import longest_window_s, short_history


def burn(*windows, threshold="0.0144"):
    sides = [f"sum(rate(bad[{window}])) / (sum(rate(all[{window}])) > 0) > {threshold}" for window in windows]
    return " and ".join(sides)


@pytest.mark.parametrize(
    ("expr", "seconds"),
    [
        ("up == 0", 0),
        ("rate(x[5m]) > 1", 300),
        ("rate(x[5m] offset 1h) > 1", 3900),
        ("max_over_time(rate(x[5m])[1h:1m]) > 1", 3900),
        ("rate(x[5m]) > 1 and rate(x[2h]) > 1", 7200),
        ("this is not PromQL", 0),
    ],
)
def test_the_longest_window(expr, seconds):
    assert longest_window_s(expr) == seconds


@pytest.mark.parametrize(
    ("expr", "history", "share", "warm", "cold_"),
    [
        (burn("1h"), 600, 1.0, 51.84, 8.77),
        (burn("1h", threshold="14.4 * 0.001"), 600, 1.0, 51.84, 8.77),
        (burn("1h", "5m"), 600, 1.0, 51.84, 8.77),  # the short window is full, and needs less
        (burn("1h"), 600, 0.5, 103.68, 17.79),
        ("1 - sum(rate(good[1h])) / sum(rate(all[1h])) > 0.05", 0, 1.0, 180, 0),
        (f"({burn('1h')}) or ({burn('5m', threshold='0.5')})", 300, 1.0, 51.84, 4.38),
    ],
)
def test_a_share_is_seen_too_soon_on_a_fresh_stack(expr, history, share, warm, cold_):
    found = short_history(expr, history, share)
    assert found.exact
    assert (found.warm_s, found.cold_s) == (pytest.approx(warm, abs=0.01), pytest.approx(cold_, abs=0.01))
    assert found.optimistic_s == pytest.approx(warm - cold_, abs=0.02)


@pytest.mark.parametrize(
    ("expr", "history"),
    [
        (burn("1h"), 3600),
        (burn("5m"), 600),
        ("up == 0", 0),
        ("rate(x[1h]) > 3", 60),  # divided by the whole window, however little history there is
        ("max_over_time(x[1h]) > 3", 60),
    ],
)
def test_nothing_to_say(expr, history):
    assert short_history(expr, history) is None


@pytest.mark.parametrize("expr", ["avg_over_time(x[1h]) > 0.5", "rate(a[1h]) / rate(b[1h]) * 100 > 5"])
def test_without_a_threshold_to_read_it_is_a_bound(expr):
    found = short_history(expr, 600)
    assert not found.exact
    assert found.optimistic_s == pytest.approx(3600 * (1 - (600 / 3600) ** 0.5) ** 2)


def test_the_bound_holds_for_every_threshold():
    most = short_history("avg_over_time(x[1h]) > 0.5", 600).optimistic_s
    exact = [short_history(burn("1h", threshold=str(at / 100)), 600).optimistic_s for at in range(1, 100)]
    assert max(exact) <= most
    assert max(exact) == pytest.approx(most, rel=0.01)


@pytest.mark.parametrize(
    ("expr", "warm"),
    [
        ("job:ratio1h > 0.0144", 51.84),
        ('job:ratio1h{job="a"} > 0.0144 and job:ratio5m > 0.0144', 51.84),
        ("job:bad1h / job:all1h > 0.0144", 51.84),
        ("my_job:ratio1h > 0.0144", None),  # another metric
        ("max_over_time(job:ratio1h[1h]) > 0.0144", None),
    ],
)
def test_what_a_rule_records_is_read_in_its_place(expr, warm):
    recorded = {
        "job:bad1h": "sum(rate(bad[1h]))",
        "job:all1h": "sum(rate(all[1h]))",
        "job:ratio1h": "job:bad1h / job:all1h",
        "job:ratio5m": "rate(bad[5m]) / rate(all[5m])",
    }
    found = short_history(expr, 600, recorded=recorded)
    assert (found and found.warm_s) == (warm and pytest.approx(warm))


def test_in_words():
    assert str(short_history(burn("1h"), 600)) == (
        "its window of 3600 s has 600 s of history, so its time is optimistic by 43 s (true after 9 s of fault, in "
        "production after 52 s)"
    )
    assert str(short_history("avg_over_time(x[1h]) > 0.5", 600)).endswith("so its time is optimistic by up to 1261 s")
