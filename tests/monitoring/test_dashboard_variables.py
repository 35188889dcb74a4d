"""Variables of dashboards are filled in as Grafana does."""

import pytest

from tocsin.harness.monitoring.dashboard_variables import Choice, Unresolved, builtin_variables, choose, fill

MODEL = {
    "name": "model",
    "type": "query",
    "query": {"query": "label_values(up, job)"},
    "includeAll": True,
    "multi": True,
    "current": {"value": ["$__all"]},
}
VALUES = ["a", "b.c"]
CHOSEN = {
    "one": Choice(values=("x",)),
    "quoted": Choice(values=('a"b',)),
    "many": Choice(values=("a", "b.c"), pattern=True),
    "single": Choice(values=("b.c",), pattern=True),
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("rate(x[$__rate_interval])", "rate(x[1m])"),
        ("rate(x[${__interval}]) / x[$__range]", "rate(x[15s]) / x[1h]"),
        ('x{a="$one"}', 'x{a="x"}'),
        ('x{a="${one}$one"}', 'x{a="xx"}'),
        ('x{a="[[one]]"}', 'x{a="x"}'),
        ('x{a="$quoted"}', 'x{a="a\\"b"}'),
        ('x{a=~"$many"}', 'x{a=~"(a|b\\\\.c)"}'),
        ('x{a=~"$single"}', 'x{a=~"b\\\\.c"}'),
        ('x{a=~"${many:regex}"}', 'x{a=~"(a|b\\\\.c)"}'),
        ('x{a=~"${many:pipe}"}', 'x{a=~"a|b.c"}'),
        ("${many:csv}", "a,b.c"),
        ('label_replace(x, "g", "$1", "a", "(.*)")', 'label_replace(x, "g", "$1", "a", "(.*)")'),
        ('x{a=~"b$"}', 'x{a=~"b$"}'),
    ],
)
def test_fill(text, filled):
    own = builtin_variables(interval_s=15, scrape_s=15, range_s=3600)
    assert fill(text, CHOSEN, own) == filled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$gone", "The variable \\$gone is not among"),
        ("x / $__range_s", "bare number"),
        ("${__interval_ms}", "bare number"),
    ],
)
def test_what_cannot_be_filled_in(text, words):
    with pytest.raises(Unresolved, match=words):
        fill(text, CHOSEN, {})


@pytest.mark.parametrize(("interval_s", "rate"), [(15, "1m"), (30, "1m"), (60, "1m15s")])
def test_the_rate_interval_is_four_scrapes_or_a_step_and_a_scrape(interval_s, rate):
    assert builtin_variables(interval_s=interval_s, scrape_s=15, range_s=1)["__rate_interval"] == rate


@pytest.mark.parametrize(
    ("variable", "values", "pattern"),
    [
        (MODEL, ("a", "b.c"), True),
        ({**MODEL, "includeAll": False, "multi": False, "current": {}}, ("a",), False),
        ({**MODEL, "current": {"value": ["kept"]}}, ("kept",), True),
        ({**MODEL, "regex": "/^b/"}, ("b.c",), True),
        ({**MODEL, "query": "label_values(job)"}, ("a", "b.c"), True),
        ({"type": "custom", "query": "1, 2", "current": {"value": "2"}}, ("2",), False),
        ({"type": "custom", "query": "1, 2", "includeAll": True, "current": {"value": "$__all"}}, ("1", "2"), True),
        ({"type": "interval", "query": "5m,1h", "current": {"value": "5m"}}, ("5m",), False),
        ({"type": "constant", "query": "prod"}, ("prod",), False),
        ({"type": "textbox", "query": "x", "current": {"value": "y"}}, ("y",), False),
    ],
)
def test_what_is_chosen_when_a_dashboard_is_opened(variable, values, pattern):
    chosen = choose([{**variable, "name": "v"}], lambda selector, label: VALUES)
    assert chosen == {"v": Choice(values=values, pattern=pattern)}


def test_a_variable_may_stand_in_a_later_one_and_data_sources_are_left_out():
    asked = []
    later = {**MODEL, "name": "later", "query": {"query": 'label_values(up{job=~"$model"}, instance)'}}
    variables = [{"name": "ds", "type": "datasource", "query": "prometheus"}, MODEL, later]
    chosen = choose(variables, lambda selector, label: asked.append((selector, label)) or ["a"])
    assert list(chosen) == ["model", "later"]
    assert asked == [("up", "job"), ('up{job=~"a"}', "instance")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": "query_result(up)"}, "only label_values"),
        ({"regex": "zzz"}, "The variable \\$model has no value"),
    ],
)
def test_a_variable_without_a_value(change, words):
    with pytest.raises(Unresolved, match=words):
        choose([{**MODEL, **change}], lambda selector, label: VALUES)
