"""The signatures of a model of music: composing, scoring, pieces that come in chunks."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.configuration import MusicConfig
from zoo.models import MusicModel
from zoo.saving import InMemory, MusicModule

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=["independent", "chained"])
def model(request):
    size = {"units": 8, "chain_units": 6, "depth": 2, "jit": False}
    model = MusicModel(MusicConfig(output=request.param, **size))
    model.build()
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:  # biases stay such that few keys sound
            variable.assign(RNG.normal(0, 0.3, variable.shape))
    return InMemory(MusicModule(model))


def ask(model, notes, length, seed, temperature=1.0):
    asked = {"notes": notes, "length": length, "temperature": temperature, "seed": seed}
    return model.ask("serving_default", asked)


def test_the_same_seed_gives_the_same_piece_alone_or_in_a_batch(model):
    notes = [[60, 64, 67], [0, 0, 0], [20, 109, -5], [0, 21, 108], [60, 64, 67]]
    lengths, seeds = [9, 300, 3, 0, 9], [3, 1, 1, 3, 4]
    together = ask(model, notes, lengths, seeds)
    assert together["frames"].shape == (5, 300, 88)
    assert together["lengths"].tolist() == lengths
    for i in range(5):
        alone = ask(model, notes[i : i + 1], lengths[i : i + 1], seeds[i : i + 1])
        assert np.array_equal(alone["frames"][0], together["frames"][i, : lengths[i]])
        assert not together["frames"][i, lengths[i] :].any()
    first = together["frames"][:, 0]
    assert (np.flatnonzero(first[0]) + 21).tolist() == [60, 64, 67]
    # What is no key is no note: its first frame is drawn, as that from nothing.
    assert np.array_equal(first[1], first[2])
    assert not np.array_equal(together["frames"][0], together["frames"][4])


def test_lengths_below_one_and_no_rows_have_no_frames(model):
    found = ask(model, [[60], [60]], [0, -3], [1, 2])
    assert found["frames"].shape == (2, 0, 88) and found["lengths"].tolist() == [0, 0]
    none = ask(model, np.zeros([0, 1], np.int32), np.zeros([0], np.int32), np.zeros([0], np.int32))
    assert none["frames"].shape[0] == 0
    bare = ask(model, np.zeros([1, 0], np.int32), [4], [7])
    assert np.array_equal(bare["frames"], ask(model, [[0]], [4], [7])["frames"])


@pytest.mark.parametrize("temperature", [0.0, float("nan"), -1.0])
def test_without_heat_chance_has_no_part(model, temperature):
    found = ask(model, [[60], [60]], [6, 6], [1, 2], temperature)["frames"]
    assert np.array_equal(found[0], found[1])


def test_great_heat_tosses_a_coin_for_each_key(model):
    found = ask(model, [[0]] * 4, [40] * 4, [1, 2, 3, 4], float("inf"))["frames"]
    assert 0.47 < found.mean() < 0.53


def test_a_piece_in_chunks_is_as_likely_as_a_whole_one(model):
    frames, lengths = RNG.random([3, 12, 88]) < 0.05, np.array([12, 7, 0], np.int32)
    whole = model.ask("score", {"frames": frames, "lengths": lengths})
    each = whole["log_probabilities"]
    assert whole["log_probability"] == pytest.approx(each.sum(axis=1), rel=1e-5)
    assert not each[1, 7:].any() and each[1, :7].all() and whole["log_probability"][2] == 0
    specs = model.signatures["stream"].inputs
    kept = {
        name: np.zeros([3, *spec.shape[1:]], spec.dtype)
        for name, spec in specs.items()
        if name not in ("frames", "lengths")
    }
    found = np.zeros([3, 12])
    for start, end in ((0, 1), (1, 1), (1, 6), (6, 12)):
        here = np.clip(lengths - start, 0, end - start)
        answer = model.ask("stream", {"frames": frames[:, start:end], "lengths": here, **kept})
        found[:, start : start + answer["log_probabilities"].shape[1]] += answer[
            "log_probabilities"
        ]
        kept = {name: answer[name] for name in kept}
    np.testing.assert_allclose(found, each, atol=1e-4)
    np.testing.assert_allclose(kept["log_probability"], whole["log_probability"], rtol=1e-5)
    assert kept["frame_count"].tolist() == lengths.tolist()


def test_gates_are_those_of_the_step_that_reads_a_frame(model):
    frames, lengths = RNG.random([2, 5, 88]) < 0.05, [5, 2]
    found = model.ask("gates", {"frames": frames, "lengths": lengths})
    assert found["lengths"].tolist() == lengths
    assert {"layer_1/gate_u", "layer_2/gate_f", "layer_2/c"} <= found.keys()
    assert found["layer_2/gate_o"].shape == (2, 5, 8)
    assert not any(values[1, 2:].any() for name, values in found.items() if "/" in name)
    # What has read three frames predicts the fourth: the state behind four frames of a stream.
    specs = model.signatures["stream"].inputs
    nothing = {
        name: np.zeros([1, *spec.shape[1:]], spec.dtype)
        for name, spec in specs.items()
        if name not in ("frames", "lengths")
    }
    asked = {**nothing, "frames": frames[:1, :4], "lengths": [4]}
    states = [v for n, v in model.ask("stream", asked).items() if n[6:].isdigit()]
    assert any(np.allclose(state, found["layer_2/c"][:1, 2], atol=1e-6) for state in states)


def test_rows_that_do_not_match_are_refused_in_the_graph():
    model = MusicModel(MusicConfig(units=4, chain_units=4, jit=False))
    model.build()
    module = MusicModule(model)
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many rows each"):
        module.score(tf.zeros([3, 2, 88], tf.bool), tf.constant([2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many rows each"):
        one = tf.constant([1])
        module.serving_default(tf.zeros([2, 1], tf.int32), one, tf.ones([1]), one)


def test_lengths_beyond_what_is_there_are_what_is_there(model):
    frames = RNG.random([1, 3, 88]) < 0.05
    found = model.ask("score", {"frames": frames, "lengths": [9]})
    assert found["lengths"].tolist() == [3]


def test_a_session_reads_texts_and_no_frames(model):
    with pytest.raises(ValueError, match="expected a model of texts"):
        model.session()
