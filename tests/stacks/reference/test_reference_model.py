"""The stored model and data: what they hold, that they are disjoint, and how training reads its source."""

import gzip
import zipfile

import numpy as np
import pytest


def stored():
    from service.model import SAMPLE

    with np.load(SAMPLE) as parts:
        return dict(parts)


def test_the_halves_are_disjoint_and_whole():
    parts = stored()
    assert parts["reference"].shape == (24_548, 9) and parts["live"].shape == (24_549, 9)
    assert all(parts[name].dtype.kind == "i" for name in parts)
    rows = np.concatenate([parts["reference"], parts["live"]])
    assert len(np.unique(rows, axis=0)) == 49_097
    assert parts["reference_labels"].sum() + parts["live_labels"].sum() == 3_511


def test_the_model_is_right_on_rows_that_it_was_not_trained_on():
    from service.model import load_model

    parts = stored()
    classes, scores = load_model(device="cpu").predict(parts["live"])
    assert np.mean(np.array(classes) == parts["live_labels"]) > 0.995
    assert 0 <= min(scores) <= max(scores) <= 1


def test_one_row_scores_as_in_a_batch():
    from service.model import load_model

    model = load_model(device="cpu")
    rows = stored()["live"][:20].tolist()
    together = model.predict(rows)[1]
    assert [model.predict([row])[1][0] for row in rows] == pytest.approx(together, abs=1e-12)


@pytest.mark.parametrize("row", [[0] * 9, [1e300] * 9, [-1e300] * 9, [10**15] * 9])
def test_any_finite_row_gets_a_score(row):
    from service.model import load_model

    [label], [score] = load_model(device="cpu").predict([row])
    assert label in (0, 1) and 0 <= score <= 1


def test_the_version_follows_the_weights(tmp_path):
    from service.model import WEIGHTS, load_model

    with np.load(WEIGHTS) as weights:
        changed = {name: weights[name] * (2 if name == "b1" else 1) for name in weights}
    np.savez(tmp_path / "other.npz", **changed)
    version = load_model(device="cpu").version
    assert version == load_model(device="cpu").version != load_model(tmp_path / "other.npz", device="cpu").version


@pytest.mark.parametrize(("wanted", "error"), [("tpu", ValueError), ("gpu", RuntimeError)])
def test_devices_that_are_not_there(wanted, error, monkeypatch):
    from service import model

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(model.importlib, "import_module", missing)
    with pytest.raises(error):
        model.array_module(wanted)
    assert model.array_module("auto") is np


def wheel_of(tmp_path, table):
    path = tmp_path / "some.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("river/datasets/shuttle.csv.gz", gzip.compress(table))
    return path


def test_training_refuses_data_that_was_not_checked(tmp_path, monkeypatch):
    from service import train

    table = ("f,f,f,f,f,f,f,f,f,anomaly\n" + "".join(f"{n},0,0,0,0,0,0,0,0,{n % 2}\n" for n in range(6))).encode()
    wheel = wheel_of(tmp_path, table)
    with pytest.raises(ValueError, match="expected"):
        train.read_table(wheel)
    monkeypatch.setattr(train, "_MEMBER_SHA256", train.hashlib.sha256(gzip.compress(table, mtime=0)).hexdigest())
    monkeypatch.setattr(
        train.hashlib, "sha256", lambda _: type("Digest", (), {"hexdigest": lambda self: train._MEMBER_SHA256})()
    )
    parts = train.split(train.read_table(wheel))
    assert parts["reference"][:, 0].tolist() == [1, 3, 5] and parts["live"][:, 0].tolist() == [0, 2, 4]
    assert parts["reference_labels"].tolist() == [1, 1, 1]


def test_training_learns_and_repeats_itself(monkeypatch):
    from service import train

    monkeypatch.setattr(train, "_STEPS", 60)
    rng = np.random.default_rng(1)
    rows = rng.integers(-50, 50, (400, 9))
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    weights, again = train.train(rows, labels), train.train(rows, labels)
    assert train.accuracy(weights, rows, labels) > 0.95
    assert train.fingerprint(weights) == train.fingerprint(again)


def test_a_check_tells_what_differs(capsys):
    from service import train

    parts = stored()
    with np.load(train.WEIGHTS) as kept:
        weights = dict(kept)
    assert train.check(parts, weights) == []
    assert "weights identical; 0 of 24549 predictions differ" in capsys.readouterr().out
    faults = train.check({**parts, "live_labels": 1 - parts["live_labels"]}, {**weights, "b3": weights["b3"] + 50})
    assert len(faults) == 2 and "live_labels differs" in faults[0] and "predictions differ" in faults[1]
