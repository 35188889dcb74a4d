"""What each function and aggregation of PromQL does to the scale of its argument."""

from __future__ import annotations

from collections.abc import Mapping

KEEPS = frozenset(
    {
        *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "quantile_over_time"),
        *("sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "info"),
        *("scalar", "vector", "round", "clamp", "clamp_min", "clamp_max"),
    }
)
"""The value is one of those given, or lies between them: a moment stays a moment."""
SPREADS: Mapping[str, float] = {
    **dict.fromkeys(("stddev_over_time", "mad_over_time", "delta", "idelta", "stddev"), 1.0),
    **dict.fromkeys(("stdvar_over_time", "stdvar"), 2.0),
}
"""A distance between values, to this power: of moments it is a duration."""
SUMS = frozenset({"sum_over_time", "abs", "histogram_sum", "histogram_count"})
"""The scale of the argument, which must be no moment."""
COUNTS = frozenset(
    {
        *("absent", "absent_over_time", "present_over_time", "count_over_time", "sgn", "pi", "resets"),
        *("histogram_quantile", "histogram_fraction", "histogram_avg", "histogram_stddev", "histogram_stdvar"),
    }
)
"""A number of its own: samples keep their number, and quantiles and shares do not ask how many requests there were."""
CURVES = frozenset(
    {
        *("exp", "ln", "log2", "log10", "ceil", "floor", "deg", "rad"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    }
)
"""No straight line through 0: only kept where nothing is divided."""
RATES: Mapping[str, float] = {"rate": 1.0, "irate": 1.0, "increase": 0.0, "xrate": 1.0, "xincrease": 0.0}
"""Reads a counter; the power it adds to that of the counter."""
REFUSED: Mapping[str, str] = {
    **{
        name: "reads the calendar"
        for name in ("hour", "minute", "day_of_week", "day_of_month", "day_of_year", "month", "year", "days_in_month")
    },
    **{name: "smooths by the sample" for name in ("holt_winters", "double_exponential_smoothing")},
}
AGGREGATES_KEEP = frozenset({"avg", "min", "max", "topk", "bottomk", "quantile", "limitk", "limit_ratio"})
AGGREGATES_COUNT = frozenset({"count", "group", "count_values"})
