"""How long an expression needs to turn true once something is wrong: the part that its windows have in a detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tocsin.harness.declarations.stack_signals import Signals
from tocsin.harness.monitoring.promql.compression_analysis import Scales, scale_of
from tocsin.harness.monitoring.promql.expression import COMPARISONS, Node, bare, constant, metrics, walk, windows_s
from tocsin.harness.monitoring.promql.function_table import KEEPS, SPREADS
from tocsin.harness.monitoring.promql.ratio_thresholds import Share, share_of


@dataclass(frozen=True, kw_only=True)
class Need:
    """Production seconds from the effect until the expression is true: `least` and `most`; `note` says why.

    `cold_s`: by so much `least` is shorter than it would be with a full history. `hopeless`: it never turns true.
    """

    least: float = 0.0
    most: float = 0.0
    note: str = ""
    cold_s: float = 0.0
    hopeless: str = ""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known when something goes wrong; production seconds.

    It hits a `share` of the requests (None: not declared) after a history of `history_s`. Scrapes are `scrape_s` apart;
    `scales` and `signals` are those of the stack, `largest_timer_s` the longest of its services' timers.
    """

    share: float | None
    history_s: float
    scrape_s: float
    scales: Scales
    signals: Signals
    largest_timer_s: float = 0.0


def need(node: Node, now: Situation) -> Need:
    """Return how long an expression needs: the longest of both sides of `and`, the shortest of those of `or`."""
    node = bare(node)
    if node.kind == "binary" and node.name in _JOINED:
        left, right = (need(part, now) for part in node.parts)
        return _JOINED[node.name](left, right)
    share = share_of(node)
    if share is not None:
        return _of_share(share, now)
    return _of_age(node, now) or _of_gauge(node, now) or _of_windows(node, now)


def _both(left: Need, right: Need) -> Need:
    longer = max(left, right, key=lambda side: side.least)
    return replace(longer, most=max(left.most, right.most), hopeless=left.hopeless or right.hopeless)


def _either(left: Need, right: Need) -> Need:
    if left.hopeless:
        return right
    if right.hopeless:
        return left
    shorter = min(left, right, key=lambda side: side.least)
    return replace(shorter, most=min(left.most, right.most))


_JOINED: Mapping[str, Callable[[Need, Need], Need]] = {"and": _both, "or": _either, "unless": lambda left, right: left}


def _of_share(share: Share, now: Situation) -> Need:
    """A share s of the requests is bad from now on: s t / w > threshold after t = w threshold / s.

    The window holds a scrape less than its length. With a shorter history h, t = h threshold / (s - threshold).
    Without a declared share nothing is faster than all requests, and nothing slower than the whole window.
    """
    size = 1.0 if now.share is None else now.share
    if share.threshold >= size:
        reason = f"{size:.3g} of the requests never exceed the threshold of {share.threshold:.3g}"
        return Need(most=share.window_s, hopeless=reason)
    warm_s = max(share.window_s - now.scrape_s, 0.0) * share.threshold / size
    per_s = share.threshold / (size - share.threshold)
    least = min(warm_s, now.history_s * per_s)
    latest = min(share.window_s * share.threshold / size, (now.history_s + now.scrape_s) * per_s)
    reason = f"a share of {size:.3g} against {share.threshold:.3g} over {share.window_s:g} s"
    by_declaration = Need(least=least, most=latest, note=reason, cold_s=warm_s - least)
    if now.share is not None:
        return by_declaration
    note = f"no share declared: {reason} at the soonest, the whole window at the latest"
    return replace(by_declaration, most=share.window_s, note=note)


def _of_age(node: Node, now: Situation) -> Need | None:
    """`time() - x > s`: true once nothing has stamped x for s; it may have been stamped just before, or long ago."""
    if node.kind != "binary" or node.name not in COMPARISONS:
        return None
    for side, other in (node.parts, node.parts[::-1]):
        limit_s, scale = constant(other), scale_of(side, now.scales)
        if limit_s and limit_s > 0 and scale is not None and scale.power == -1 and _reads_time(side):
            return Need(least=_stamped_after_s(side, limit_s, now), most=limit_s, note=f"an age of {limit_s:g} s")
    return None


def _stamped_after_s(node: Node, limit_s: float, now: Situation) -> float:
    """Return by when an age is over its limit at the soonest: a drift check stamps at a known interval."""
    drift = now.signals.drift
    if drift is None or drift.checked.metric not in metrics(node):
        return 0.0
    return max(limit_s - drift.checked.every, 0.0)


def _reads_time(node: Node) -> bool:
    return any(part.kind == "call" and part.name in ("time", "timestamp") for part in walk(node))


def _of_gauge(node: Node, now: Situation) -> Need | None:
    """A gauge that the service reckons over a window of its own: as declared, else its largest timer at the latest."""
    drift, accuracy = now.signals.drift, now.signals.accuracy
    names = metrics(node)
    own_s = max(windows_s(node), default=0.0)
    if drift is not None and (drift.score.metric in names or drift.detected.metric in names):
        most = own_s + drift.checked.every
        if drift.window is None:
            note = "the service's next check, and its largest timer at the latest"
            return Need(most=most + now.largest_timer_s, note=note)
        return Need(most=most + drift.window, note="the service's window and check at the latest")
    if accuracy is not None and accuracy.metric in names:
        return Need(most=own_s + now.largest_timer_s, note="the service's largest timer at the latest")
    return None


def _of_windows(node: Node, now: Situation) -> Need:
    """Any other window: at the soonest one sample decides, at the latest the whole window."""
    windows = windows_s(node, unless_in=("last_over_time",))  # the newest sample decides that, whatever its window is
    if not windows:
        return Need()
    longest, least = windows[-1], 0.0
    if node.kind == "call" and node.name == "absent_over_time":
        least = max(longest - now.scrape_s, 0.0)
    return Need(
        least=least,
        most=longest,
        note=f"a window of {longest:g} s: one sample at the soonest, all of it at the latest",
        cold_s=max(_weighed_s(node) - now.history_s, 0.0),
    )


def _weighed_s(node: Node) -> float:
    """Return the longest window in which good history weighs against bad samples; counts of events begin at none."""
    weighs = [part for part in walk(node) if part.kind == "call" and part.name in _WEIGHING]
    return max((part.durations_s[0] for call in weighs for part in call.parts if part.durations_s), default=0.0)


_WEIGHING = (SPREADS.keys() | {name for name in KEEPS if name.endswith("_over_time")} | {"deriv", "predict_linear"}) - {
    "last_over_time",
    "idelta",
}
