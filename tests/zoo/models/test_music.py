"""Models of music: the lecture's loss, keys given lower keys, pieces in windows, composing."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tasks.data import running
from zoo.configuration import MusicConfig
from zoo.decoding.composing import compose
from zoo.models import MusicModel, frames, music
from zoo.models.frames import ChainedKeys, IndependentKeys

RNG = np.random.default_rng(0)
KEYS, WIDTH = 5, 3
OUTPUTS = ["independent", "chained"]
LAYERS = {"independent": lambda: IndependentKeys(KEYS), "chained": lambda: ChainedKeys(KEYS, 4)}
EVERY_FRAME = np.array([*itertools.product([0, 1], repeat=KEYS)], np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def randomized(layer, scale=0.7):
    for variable in layer.trainable_variables:
        variable.assign(RNG.normal(0, scale, variable.shape))
    return layer


def make_keys(output):
    layer = LAYERS[output]()
    layer.build((None, WIDTH))
    return randomized(layer)


def make(output="chained", **options):
    small = {"units": 6, "chain_units": 4, "dropout": 0.0, "jit": False, "output": output}
    model = MusicModel(MusicConfig(**{**small, **options}))
    model.build()
    return randomized(model, 0.3)


def frames_of(*shape, share=0.05):
    return (RNG.random([*shape, 88]) < share).astype(np.float32)


def probability_by_hand(layer, a, lower, key):
    """ŷ of a key, from the equations, key after key."""
    w, b = layer.w.numpy(), layer.b.numpy()
    logit = b[key] + w[key] @ a
    if isinstance(layer, ChainedKeys):
        h = layer.c.numpy() + layer.w_c.numpy() @ a
        for j, sounds in enumerate(lower):
            h = h + layer.u.numpy()[j] * sounds
        logit += layer.v.numpy()[key] @ sigmoid(h)
    return logit


# --- Frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("few", [8, 2])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_frame_is_as_likely_as_its_keys_one_after_the_other(output, few, monkeypatch):
    monkeypatch.setattr(frames, "_FEW", few)  # of more keys, frames are by themselves
    layer, a = make_keys(output), RNG.normal(size=WIDTH).astype(np.float32)
    found = layer(np.repeat(a[None], len(EVERY_FRAME), axis=0), EVERY_FRAME).numpy()
    for y, loss in zip(EVERY_FRAME, found, strict=True):
        p = [sigmoid(probability_by_hand(layer, a, y[:k], k)) for k in range(KEYS)]
        assert loss == pytest.approx(-np.sum(np.log(np.where(y, p, np.subtract(1, p)))), rel=1e-4)
    assert np.exp(-found).sum() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("output", OUTPUTS)
def test_keys_are_drawn_each_by_its_own_number(output, temperature):
    layer, a = make_keys(output), RNG.normal(size=[40, WIDTH]).astype(np.float32)
    uniform = RNG.random([40, KEYS]).astype(np.float32)
    found = layer.draw(a, uniform, tf.fill([40], temperature)).numpy()
    for row in range(40):
        y = []
        for k in range(KEYS):
            logit = probability_by_hand(layer, a[row], y, k)
            y.append(uniform[row, k] < sigmoid(logit / temperature) if temperature else logit > 0)
        assert found[row].tolist() == y
    alone = layer.draw(a[7:8], uniform[7:8], tf.constant([temperature]))
    assert alone[0].numpy().tolist() == found[7].tolist()


def test_only_chained_keys_can_say_that_two_go_together():
    """Either both sound or neither does: 0.69 nats, of which each by itself pays twice."""
    y = np.tile(np.float32([[1, 1], [0, 0]]), [8, 1])
    lowest = {}
    for name, layer in (("independent", IndependentKeys(2)), ("chained", ChainedKeys(2, 4))):
        layer.build((None, 1))
        optimizer = tf.keras.optimizers.Adam(0.1)
        for _ in range(60):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(layer(tf.zeros([16, 1]), y))
            variables = layer.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        lowest[name] = float(loss)
    assert lowest["independent"] == pytest.approx(2 * np.log(2), abs=0.02)
    assert lowest["chained"] < np.log(2) + 0.1


def test_no_frames_and_silent_ones():
    layer = make_keys("chained")
    assert layer(tf.zeros([0, WIDTH]), tf.zeros([0, KEYS])).shape == (0,)
    assert layer.draw(tf.zeros([0, WIDTH]), tf.zeros([0, KEYS]), tf.zeros([0])).shape == (0, KEYS)
    assert np.isfinite(layer(tf.zeros([2, WIDTH]), tf.zeros([2, KEYS]))).all()


# --- Pieces --------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_over_real_frames():
    model, y = make(), frames_of(2, 4)
    real = np.array([[True] * 4, [True, True, False, False]])
    inputs = {"frames": y, "before": np.zeros([2, 88]), "real": real, "fresh": np.ones(2, bool)}
    loss = model.compute_loss(x=inputs, y_pred=model(inputs))
    each = [
        model.log_probabilities(y[i : i + 1, :n], np.zeros([1, 88]), model.zero_states(1))[0]
        for i, n in enumerate([4, 2])
    ]
    assert float(loss) == pytest.approx(-np.concatenate(each, axis=1).sum() / 6, rel=1e-5)
    y[1, 2:] = 1  # what is padding does not matter
    assert float(model.compute_loss(x=inputs, y_pred=model(inputs))) == pytest.approx(float(loss))
    half = model.compute_loss(x=inputs, y_pred=model(inputs), sample_weight=np.full([2], 0.5))
    assert float(half) == pytest.approx(float(loss) / 2)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_training_goes_on_where_the_window_before_ended(cell):
    model, y = make(cell=cell, depth=2, rows=2), frames_of(2, 6)
    whole, _ = model.run(model.inputs_of(y, np.zeros([2, 88])), model.zero_states(2))
    nothing = np.zeros([2, 88], np.float32)
    for start, before, fresh in ((0, nothing, True), (3, y[:, 2], False)):
        window = {
            "frames": y[:, start : start + 3], "before": before,
            "real": np.ones([2, 3], bool), "fresh": np.full([2], fresh),
        }  # fmt: skip
        a = model(window, training=True)
        np.testing.assert_allclose(a, whole[:, start : start + 3], atol=1e-5)
    a = model({**window, "fresh": np.array([True, False])}, training=True)
    assert not np.allclose(a[0], whole[0, 3:], atol=1e-3)


def test_first_windows_that_are_cut_short_do_not_change_what_is_carried():
    model, y = make(depth=2, rows=2), frames_of(2, 20)
    whole, _ = model.run(model.inputs_of(y, np.zeros([2, 88])), model.zero_states(2))
    table = np.concatenate([np.zeros([1, 88], np.float32), *y])
    rows = [[running.Piece(np.arange(1, 21) + 20 * i, 0)] for i in range(2)]
    found = np.zeros(whole.shape)
    cuts = set()
    for window in running.windows(rows, 10, np.random.default_rng(1)):
        numbers = running.batch(window, 10)
        real = numbers["targets"] > 0
        inputs = {"frames": table[numbers["targets"]], "before": table[numbers["before"]]}
        a = model({**inputs, "real": real, "fresh": numbers["fresh"]}, training=True).numpy()
        for i, (_, start, end) in enumerate(window):
            found[i, start:end] = a[i, : end - start]
            cuts.add(end)
    assert cuts - {10, 20}
    np.testing.assert_allclose(found, whole, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_states_are_carried_in_16_bits_too(output, policy):
    small = MusicConfig(units=6, chain_units=4, jit=False, output=output, rows=2)
    model = MusicModel(small, dtype=policy)
    model.build()
    y = frames_of(2, 4)
    inputs = {
        "frames": y, "before": np.zeros([2, 88]), "real": np.ones([2, 4], bool),
        "fresh": np.array([True, False]),
    }  # fmt: skip
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=inputs, y_pred=model(inputs, training=True))
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))
    assert np.isfinite(loss)


@pytest.mark.parametrize("output", OUTPUTS)
def test_pieces_in_windows_are_judged_as_at_once(output, monkeypatch):
    model, y = make(output), frames_of(3, 11) > 0
    lengths = tf.constant([11, 0, 4])
    whole = [x.numpy() for x in model.judge_pieces(y, lengths)]
    monkeypatch.setattr(music, "STEPS_AT_ONCE", 12)  # four frames of each
    for expected, found in zip(whole, model.judge_pieces(y, lengths), strict=True):
        np.testing.assert_allclose(found.numpy().astype(float), expected.astype(float), atol=1e-5)
    assert whole[0].shape == (3, 11) and whole[1].shape == (3, 11, 88)
    assert not whole[0][1].any() and not whole[0][2, 4:].any() and whole[0][2, :4].all()
    alone = model.judge_pieces(y[2:, :4], lengths[2:])[0]
    np.testing.assert_allclose(alone[0], whole[0][2, :4], atol=1e-5)
    nothing = model.judge_pieces(np.zeros([2, 0, 88], bool), tf.zeros([2], tf.int32))
    assert nothing[0].shape == (2, 0) and nothing[1].shape == (2, 0, 88)


@pytest.mark.parametrize("output", OUTPUTS)
def test_cold_composing_is_greedy_given_what_came(output):
    model = make(output)
    piece = compose(
        model, tf.constant([[60, 64]]), tf.constant([7]), tf.zeros([1]), tf.zeros([1], tf.int32)
    )
    assert np.flatnonzero(piece[0, 0]).tolist() == [39, 43]
    _, greedy = model.judge_pieces(piece, tf.constant([7]))
    assert np.array_equal(greedy[0, 1:], piece[0, 1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bidirectional": True}, "a model of music reads forward only"),
        ({"cell": "none"}, "expected a recurrent layer"),
        ({"output": "both"}, "expected one of independent, chained"),
    ],
)
def test_what_it_cannot_be_made_of(options, message):
    with pytest.raises(ValueError, match=message):
        MusicConfig(**options)


def test_classes_are_not_weighted():
    with pytest.raises(ValueError, match="class_weight: expected none"):
        make().fit(class_weight={0: 1.0})
