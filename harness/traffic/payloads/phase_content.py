"""Works out what a phase sends, block by block: kind, form and body of each request.

The same seed, phase and number give the same request, whoever asks and however many share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads.all_kinds import ALL, parse_payload
from tocsin.harness.traffic.payloads.body_template import Template
from tocsin.harness.traffic.payloads.dataset import Sample
from tocsin.harness.traffic.payloads.mix import FaultyArgs, spread
from tocsin.harness.traffic.payloads.payload_kind import PayloadArgs, PayloadKind
from tocsin.harness.traffic.payloads.phase_shift import PhaseShift, ShiftedBlock
from tocsin.harness.traffic.payloads.request_protocol import Form, RequestProtocol, request_protocol
from tocsin.harness.traffic.payloads.shift_functions import chosen
from tocsin.harness.traffic.payloads.shifted import ShiftArgs

BLOCK = 4096
"""Requests are worked out so many at a time, each block from a random stream of its own."""

_CACHED_BODIES = 50_000
NUMBER = {name: number for number, name in enumerate(KINDS)}
"""Payload kind -> its place in KINDS."""
_FEEDBACK_NAMES = ("request_id", "label")
"""What the template of a feedback's body may name."""


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """How truth is sent: for `share` of the predictions, `delay_s` wall seconds after each was due."""

    share: float
    delay_s: float
    form: Form
    template: Template

    def body(self, request_id: str, truth: int) -> bytes:
        """Return the body that tells the truth about one prediction."""
        return self.template.fill((request_id, truth))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Requests one after the other: places in KINDS and in the content's forms, and the true classes, if known.

    `feedback` says for each whether its truth is sent later.
    """

    kinds: np.ndarray
    forms: np.ndarray
    truth: np.ndarray | None
    body: Callable[[int], bytes] = field(repr=False)
    feedback: np.ndarray


class PhaseContent:
    """What one phase sends. `seed` is the run's and the phase's; `speed` divides the durations in `args`."""

    def __init__(self, args: PayloadArgs, sample: Sample, *, seed: Sequence[int], speed: float) -> None:
        self._args, self._sample, self._seed = args, sample, tuple(seed)
        self._protocol = request_protocol(sample.shape, args.protocol)
        self._kinds = {kind.name: kind for kind in ALL}
        self._cache: dict[int, bytes] = {}
        self.feedback = _feedback(args, sample, speed)
        self._shift: PhaseShift | None = None
        if isinstance(args, ShiftArgs):
            self._shift = PhaseShift(args, sample, speed)
        used = ["normal"]
        if isinstance(args, FaultyArgs):
            used += args.faulty
        by_kind = {name: _form(self._kinds[name], self._protocol) for name in used}
        self.forms: tuple[Form, ...] = tuple(dict.fromkeys(by_kind.values()))
        self._form_of = np.zeros(len(KINDS), dtype=np.uint8)  # shifted rows are sent as normal ones are
        for name, form in by_kind.items():
            self._form_of[NUMBER[name]] = self.forms.index(form)

    def batch(self, first: int, at_s: np.ndarray) -> Batch:
        """Return the requests from number `first` of the phase on, due `at_s` wall seconds after the phase's start.

        `first` is a multiple of BLOCK, and only the last batch is shorter than BLOCK.
        """
        for_rows, for_shift, for_feedback = np.random.default_rng([*self._seed, first]).spawn(3)
        count = len(at_s)
        places = for_rows.integers(len(self._sample.live), size=count)
        kinds = np.zeros(count, dtype=np.uint8)
        if isinstance(self._args, FaultyArgs):
            kinds = np.array([NUMBER[name] for name in spread(self._args, count, first)], dtype=np.uint8)
        share = self.feedback.share if self.feedback else 0.0
        feedback = chosen(share * (kinds == NUMBER["normal"]), for_feedback)
        block = ShiftedBlock(kinds=kinds, places=places, truth=self._sample.truth(places), rows=None)
        if self._shift:
            block = self._shift.shift(places, feedback, at_s, for_shift)
        if block.rows is None:
            body = self._bodies(block.kinds, block.places)
        else:
            body = block.rows.bodies(self._protocol.template)
        forms = self._form_of[block.kinds]
        return Batch(kinds=block.kinds, forms=forms, truth=block.truth, body=body, feedback=feedback)

    def delivered(self) -> list[dict[str, object]]:
        """Return the shift made in all batches so far, feature by feature, beside the declared one."""
        return self._shift.delivered() if self._shift else []

    def _bodies(self, kinds: np.ndarray, places: np.ndarray) -> Callable[[int], bytes]:
        """Return what makes the bodies of unchanged rows: good ones are kept, faulty ones made each time."""
        numbers, live, cache = kinds.tolist(), places.tolist(), self._cache
        good = {NUMBER["normal"], NUMBER["shifted"]}

        def body(i: int) -> bytes:
            place = live[i]
            if numbers[i] not in good:
                return self._kinds[KINDS[numbers[i]]].make(self._sample.row(place), self._protocol)
            cached = cache.get(place)
            if cached is None:
                cached = self._protocol.template.fill(self._sample.row(place))
                if len(cache) < _CACHED_BODIES:
                    cache[place] = cached
            return cached

        return body


def content(payload: Mapping[str, object], sample: Sample, *, seed: Sequence[int], speed: float = 1.0) -> PhaseContent:
    """Return what a phase with this `payload` sends; StackError if it is wrong or the sample cannot give it."""
    return PhaseContent(parse_payload(payload), sample, seed=seed, speed=speed)


def _feedback(args: PayloadArgs, sample: Sample, speed: float) -> Feedback | None:
    if args.feedback is None:
        return None
    shape = sample.shape.feedback
    if shape is None or sample.labels is None:
        lacking = "no `payload.feedback`" if shape is None else "rows without labels"
        raise StackError(f"No truth can be sent: the stack declares {lacking}.", hint="Correct stack.yaml.")
    form = replace(request_protocol(sample.shape).form, path=shape.path)
    template = Template(shape.body, _FEEDBACK_NAMES)
    template.fill(("", 0))  # raises now if the body names anything else
    return Feedback(share=args.feedback.share, delay_s=args.feedback.delay / speed, form=form, template=template)


def _form(kind: PayloadKind, protocol: RequestProtocol) -> Form:
    if kind.needs_v2 and protocol.v2 is None:
        raise StackError(f"{kind.name} needs a stack that declares `payload.v2`.", hint="Declare it in stack.yaml.")
    return kind.form(protocol)
