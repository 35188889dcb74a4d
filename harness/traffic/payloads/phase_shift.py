"""Applies one phase's shift: which rows are sent, what is changed in them, and how much of it was achieved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads.body_template import ABSENT, Template
from tocsin.harness.traffic.payloads.dataset import Sample
from tocsin.harness.traffic.payloads.shift_functions import OF_NUMBERS, OF_VALUES, Dose, Feature, chosen
from tocsin.harness.traffic.payloads.shifted import ShiftArgs

_SHIFTED, _MISSING, _NAN = (KINDS.index(name) for name in ("shifted", "missing", "nan"))
_SLICE = 256
_VALUE, _NULL, _LEFT_OUT, _NOT_A_NUMBER = range(4)
_IN_PLACE = {"missing": _MISSING, "nan": _NAN}
"""Shifts that send something else in place of a value -> the kind of the requests that they hit."""
_INSTEAD = {_NULL: None, _LEFT_OUT: ABSENT, _NOT_A_NUMBER: float("nan")}


@dataclass(frozen=True, kw_only=True)
class ChangedRows:
    """Rows that were changed. `marks` says for each value whether something else is sent in its place."""

    rows: np.ndarray
    marks: np.ndarray | None
    sample: Sample

    def bodies(self, template: Template) -> Callable[[int], bytes]:
        """Return what makes the body of row i; rows are read in slices, so that no request waits for all of them."""
        ready: dict[int, list[list[object]]] = {}

        def body(i: int) -> bytes:
            number = i // _SLICE
            if number not in ready:
                ready.clear()
                ready[number] = self._lists(slice(number * _SLICE, (number + 1) * _SLICE))
            return template.fill(ready[number][i % _SLICE])

        return body

    def _lists(self, part: slice) -> list[list[object]]:
        lists = self.sample.lists(self.rows[part])
        if self.marks is not None:
            for i, place in np.argwhere(self.marks[part]).tolist():
                lists[i][place] = _INSTEAD[int(self.marks[part][i, place])]
        return lists


@dataclass(frozen=True, kw_only=True)
class ShiftedBlock:
    """A block of shifted requests: places in KINDS and of live rows, true classes, and changed rows, if any were."""

    kinds: np.ndarray
    places: np.ndarray
    truth: np.ndarray | None
    rows: ChangedRows | None


class PhaseShift:
    """Shifts block by block, and adds up what was done. StackError if the sample cannot be shifted so."""

    def __init__(self, args: ShiftArgs, sample: Sample, speed: float) -> None:
        self._args, self._sample, self._speed = args, sample, speed
        self._done = dict.fromkeys(args.sizes, 0.0)
        self._full = dict.fromkeys(args.sizes, 0.0)
        self._requests = 0
        self._features = {name: _feature(sample, name) for name in args.sizes if name}
        text = [name for name, feature in self._features.items() if feature.text and args.shift in OF_NUMBERS]
        if text:
            raise StackError(f"{', '.join(text)} holds text, which has no {args.shift}.", hint="Name other features.")
        if args.shift in ("label", "concept"):
            self._classes = self._labels_of(sample)

    def shift(
        self, places: np.ndarray, with_feedback: np.ndarray, at_s: np.ndarray, rng: np.random.Generator
    ) -> ShiftedBlock:
        """Shift one block of live rows. A concept shift changes the truth of `with_feedback` only."""
        strength = self._args.strength(at_s, self._speed)
        self._requests += len(places)
        kinds = np.full(len(places), _SHIFTED, dtype=np.uint8)
        if self._args.shift == "label":
            places = self._relabelled(places, strength, rng)
        truth, changed = self._sample.truth(places), None
        if self._args.shift == "concept":
            truth = self._turned(truth, with_feedback, strength, rng)
        elif self._args.shift in OF_VALUES:
            changed = self._change(places, strength, rng)
        elif self._args.shift in _IN_PLACE:
            changed, marked = self._mark(places, strength, rng)
            kinds[marked] = _IN_PLACE[self._args.shift]
        return ShiftedBlock(kinds=kinds, places=places, truth=truth, rows=changed)

    def delivered(self) -> list[dict[str, object]]:
        """Return declared and achieved size per feature; achieved is None before any of it was in force."""
        return [
            {
                "shift": self._args.shift,
                "requests": self._requests,
                "feature": name or None,
                "declared": size,
                "achieved": self._achieved(name),
            }
            for name, size in self._args.sizes.items()
        ]

    def _achieved(self, name: str) -> float | None:
        return self._done[name] / self._full[name] if self._full[name] else None

    def _change(self, places: np.ndarray, strength: np.ndarray, rng: np.random.Generator) -> ChangedRows:
        rows = self._sample.live[places].astype(np.float64)
        for name, feature in self._features.items():
            place = self._sample.place(name)
            dose = Dose(size=self._args.sizes[name], strength=strength, rng=rng, at_sd=self._args.at_sd or 0.0)
            rows[:, place], done, full = OF_VALUES[self._args.shift](rows[:, place], feature, dose)
            self._count(name, done, full)
        return ChangedRows(rows=rows, marks=None, sample=self._sample)

    def _mark(
        self, places: np.ndarray, strength: np.ndarray, rng: np.random.Generator
    ) -> tuple[ChangedRows, np.ndarray]:
        """Return the rows, and which of them have a value that is replaced."""
        rows = self._sample.live[places].astype(np.float64)
        marks = np.zeros(rows.shape, dtype=np.uint8)
        mark = _NULL
        if self._args.shift == "nan":
            mark = _NOT_A_NUMBER
        elif self._args.sent_as == "absent":
            mark = _LEFT_OUT
        for name, size in self._args.sizes.items():
            hits = chosen(size * strength, rng)
            marks[hits, self._sample.place(name)] = mark
            self._count(name, float(hits.sum()), float(strength.sum()))
        return ChangedRows(rows=rows, marks=marks, sample=self._sample), np.any(marks, axis=1)

    def _relabelled(self, places: np.ndarray, strength: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw rows anew, so that the label's share moves from its own to the declared one."""
        labels = self._sample.labels
        assert labels is not None
        wanted, others = (np.flatnonzero((labels == self._args.label) == yes) for yes in (True, False))
        own = len(wanted) / len(labels)
        hits = chosen(own + (self._args.sizes[""] - own) * strength, rng)
        drawn = np.where(hits, rng.choice(wanted, len(places)), rng.choice(others, len(places)))
        self._count("", float(hits.sum() - own * (1 - strength).sum()), float(strength.sum()))
        return drawn

    def _turned(
        self, truth: np.ndarray | None, with_feedback: np.ndarray, strength: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Replace the declared share of the truths that are sent by the next class."""
        assert truth is not None
        hits = chosen(self._args.sizes[""] * strength * with_feedback, rng)
        following = self._classes[(np.searchsorted(self._classes, truth) + 1) % len(self._classes)]
        self._count("", float(hits.sum()), float((strength * with_feedback).sum()))
        turned: np.ndarray = np.where(hits, following, truth)
        return turned

    def _count(self, name: str, done: float, full: float) -> None:
        self._done[name] += done
        self._full[name] += full

    def _labels_of(self, sample: Sample) -> np.ndarray:
        classes = np.unique([] if sample.labels is None else sample.labels).astype(np.int64)
        if len(classes) < 2:
            raise StackError(
                f"A {self._args.shift} shift needs rows of at least two classes; the sample has {len(classes)}.",
                hint="Store `live_labels` in the sample, or declare `payload.label` in stack.yaml.",
            )
        if self._args.shift == "label" and self._args.label not in classes:
            known = ", ".join(map(str, classes.tolist()))
            raise StackError(f"No row has the label {self._args.label}; known are {known}.", hint="Correct `label`.")
        return classes


def _feature(sample: Sample, name: str) -> Feature:
    place = sample.place(name)
    values = sample.reference[:, place].astype(np.float64)
    present = values[~np.isnan(values)]
    if not len(present):
        raise StackError(f"{name} has no value in the reference rows.", hint="Name another feature.")
    return Feature(name=name, reference=present, whole=sample.whole[place], text=name in sample.levels)
