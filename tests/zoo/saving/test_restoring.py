"""Weights of a run's file, and files that hold none."""

import numpy as np
import pytest

import zoo
from zoo.catalog.results import RESULTS, RunResults
from zoo.configuration import ClassifierConfig
from zoo.models import Classifier
from zoo.saving.restoring import restore_run

CONFIG = ClassifierConfig(vocabulary_size=5, units=2, embedding_dim=2, jit=False, labels=("a", "b"))


@pytest.fixture
def model():
    model = Classifier(CONFIG)
    model.build()
    return model


@pytest.fixture
def run(tmp_path, model):
    """The folder of a run."""
    weights = {}
    for i, variable in enumerate(model.variables):
        weights[str(i)] = np.full(variable.shape, i + 1, variable.dtype)
    np.savez(tmp_path / "best.npz", history=np.array("[]"), **weights)
    RunResults(
        task="sentiment", score="accuracy", config={}, model=CONFIG.as_dict(), counts={},
        parameters=1, epochs=[], machine={}, validation={}, wall_seconds=1.0, command="",
    ).write(tmp_path / RESULTS)  # fmt: skip
    return tmp_path


def test_weights_are_those_of_the_file(run):
    """States of random numbers stand between them: where, has nothing to say."""
    found = zoo.keras_model(run)
    learned = {id(v) for v in found.weights}
    numbers = [i + 1.0 for i, v in enumerate(found.variables) if id(v) in learned]
    assert [float(np.mean(v)) for v in found.weights] == numbers


def of_another_method(whole):
    """With a compression that nobody knows, in the archive's list of files."""
    at = whole.index(b"PK\1\2") + 10
    return whole[:at] + b"\x63" + whole[at + 1 :]


DAMAGE = {
    "empty": lambda whole: b"",
    "begun": lambda whole: whole[:30],
    "cut": lambda whole: whole[:-40],
    "text": lambda whole: b"loss,score\n",
    "bits": lambda whole: whole[:150] + bytes(60) + whole[210:],
    "method": of_another_method,
}


@pytest.mark.parametrize("how", [*DAMAGE, "npy"])
def test_a_damaged_file_is_a_value_error_that_names_it(run, how):
    path = run / "best.npz"
    if how == "npy":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        before = path.read_bytes()
        path.write_bytes(DAMAGE[how](before))
        assert path.read_bytes() != before
    with pytest.raises(ValueError, match=r"best.npz: expected a whole checkpoint\. Received"):
        zoo.keras_model(run)


@pytest.mark.parametrize("names", [(), ("0", "1"), ("weights",)])
def test_other_weights_are_refused_and_nothing_changes(model, tmp_path, names):
    before = model.get_weights()
    np.savez(tmp_path / "best.npz", **{name: np.zeros(3) for name in names})
    with pytest.raises(ValueError, match=r"best.npz: expected weights of Classifier, \["):
        restore_run(model, tmp_path / "best.npz")
    for mine, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_a_number_that_is_missing_is_no_weight(model, tmp_path):
    weights = {str(i): v.numpy() for i, v in enumerate(model.variables)}
    weights["99"] = weights.pop("0")
    np.savez(tmp_path / "best.npz", **weights)
    with pytest.raises(ValueError, match="expected weights of Classifier"):
        restore_run(model, tmp_path / "best.npz")
