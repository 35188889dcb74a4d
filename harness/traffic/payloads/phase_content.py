"""What a phase sends, request by request: kind, form and body of each, worked out block by block.

The same seed, phase and number give the same request, whoever asks and however many share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads.all_kinds import ALL, parse_payload
from tocsin.harness.traffic.payloads.body_template import Template
from tocsin.harness.traffic.payloads.feedback import NAMES, Feedback
from tocsin.harness.traffic.payloads.mix import FaultyArgs, spread
from tocsin.harness.traffic.payloads.payload_args import PayloadArgs
from tocsin.harness.traffic.payloads.payload_kind import Form, PayloadKind
from tocsin.harness.traffic.payloads.phase_shift import PhaseShift, chosen
from tocsin.harness.traffic.payloads.request_protocol import RequestProtocol, asking
from tocsin.harness.traffic.payloads.row_sample import Sample
from tocsin.harness.traffic.payloads.shifted import ShiftArgs

BLOCK = 4096
"""Requests are worked out so many at a time, each block from a random stream of its own."""

_CACHED_BODIES = 50_000
NUMBER = {name: number for number, name in enumerate(KINDS)}
"""Payload kind -> its place in KINDS."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Requests one after the other: places in KINDS and in the content's forms, and the true classes, if known."""

    kinds: np.ndarray
    forms: np.ndarray
    truth: np.ndarray | None
    body: Callable[[int], bytes] = field(repr=False)
    feedback: np.ndarray

    def asks_feedback(self, i: int) -> bool:
        """Whether the truth about request `i` of the batch is sent later."""
        return bool(self.feedback[i])


class PhaseContent:
    """What one phase sends. `seed` is the run's and the phase's; `speed` divides the durations in `args`."""

    def __init__(self, args: PayloadArgs, sample: Sample, *, seed: Sequence[int], speed: float) -> None:
        self._args, self._sample, self._seed = args, sample, tuple(seed)
        self._asking = asking(sample.shape, args.protocol)
        self._kinds = {kind.name: kind for kind in ALL}
        self._cache: dict[int, bytes] = {}
        self.feedback = _feedback(args, sample, speed)
        self._shifting = PhaseShift(args, sample, speed) if isinstance(args, ShiftArgs) else None
        used = ("normal", *args.faulty) if isinstance(args, FaultyArgs) else ("normal",)
        by_kind = {name: _form(self._kinds[name], self._asking) for name in used}
        self.forms: tuple[Form, ...] = tuple(dict.fromkeys(by_kind.values()))
        self._form_of = np.zeros(len(KINDS), dtype=np.uint8)  # shifted rows are sent as normal ones are
        for name, form in by_kind.items():
            self._form_of[NUMBER[name]] = self.forms.index(form)

    def batch(self, first: int, at_s: np.ndarray) -> Batch:
        """Return the requests from number `first` of the phase on, due `at_s` wall seconds after the phase's start.

        `first` is a multiple of BLOCK, and only the last batch is shorter than BLOCK.
        """
        rows, shifts, told = np.random.default_rng([*self._seed, first]).spawn(3)
        count = len(at_s)
        places = rows.integers(len(self._sample.live), size=count)
        kinds = np.zeros(count, dtype=np.uint8)
        if isinstance(self._args, FaultyArgs):
            kinds = np.array([NUMBER[name] for name in spread(self._args, count, first)], dtype=np.uint8)
        share = self.feedback.share if self.feedback else 0.0
        feedback = chosen(share * (kinds == NUMBER["normal"]), told)
        truth = None if self._sample.labels is None else self._sample.labels[places]
        changed = None
        if self._shifting:
            made = self._shifting.shift(places, feedback, at_s, shifts)
            kinds, places, truth, changed = made.kinds, made.places, made.truth, made.rows
        body = self._bodies(kinds, places) if changed is None else changed.bodies(self._asking.template)
        return Batch(kinds=kinds, forms=self._form_of[kinds], truth=truth, body=body, feedback=feedback)

    def delivered(self) -> list[dict[str, Any]]:
        """Return the shift made in all batches so far, feature by feature, beside the declared one."""
        return self._shifting.delivered() if self._shifting else []

    def _bodies(self, kinds: np.ndarray, places: np.ndarray) -> Callable[[int], bytes]:
        """Return what makes the bodies of unchanged rows: good ones are kept, faulty ones made each time."""
        numbers, live, cache = kinds.tolist(), places.tolist(), self._cache
        good = {NUMBER["normal"], NUMBER["shifted"]}

        def body(i: int) -> bytes:
            place = live[i]
            if numbers[i] not in good:
                return self._kinds[KINDS[numbers[i]]].make(self._sample.row(place), self._asking)
            found = cache.get(place)
            if found is None:
                found = self._asking.template.fill(self._sample.row(place))
                if len(cache) < _CACHED_BODIES:
                    cache[place] = found
            return found

        return body


def content(payload: Mapping[str, Any], sample: Sample, *, seed: Sequence[int], speed: float = 1.0) -> PhaseContent:
    """Return what a phase with this `payload` sends; StackError if it is wrong or the sample cannot give it."""
    return PhaseContent(parse_payload(payload), sample, seed=seed, speed=speed)


def _feedback(args: PayloadArgs, sample: Sample, speed: float) -> Feedback | None:
    if args.feedback is None:
        return None
    shape = sample.shape.feedback
    if shape is None or sample.labels is None:
        lacking = "no `payload.feedback`" if shape is None else "rows without labels"
        raise StackError(f"No truth can be sent: the stack declares {lacking}.", hint="Correct stack.yaml.")
    form = replace(asking(sample.shape).form, path=shape.path)
    template = Template(shape.body, NAMES)
    template.fill(("", 0))  # a name that is neither is told now
    return Feedback(share=args.feedback.share, delay_s=args.feedback.delay / speed, form=form, template=template)


def _form(kind: PayloadKind, asking: RequestProtocol) -> Form:
    if kind.needs_v2 and asking.v2 is None:
        raise StackError(f"{kind.name} needs a stack that declares `payload.v2`.", hint="Declare it in stack.yaml.")
    return kind.form(asking)
