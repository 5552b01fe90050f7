"""The loop that writes, and what chooses: against exhaustive search and slow references."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
from cases import functions_run_eagerly
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from zoo.configuration import EncoderDecoderConfig
from zoo.decoding import drawing
from zoo.decoding.loop import write
from zoo.decoding.strategies import Beam, Greedy, Sampling
from zoo.models import EncoderDecoder

KINDS = {
    "none": {"attention": "none"},
    "general": {"attention": "general", "depth": 2, "tied": False, "cell": "rnn"},
    "additive_feeding": {"attention": "additive", "input_feeding": True, "cell": "gru"},
}
SOURCES = np.array([[5, 3, 4, 6], [6, 4, 0, 0], [0, 0, 0, 0], [3, 3, 5, 0]], np.int32)
LIMITS = np.array([5, 3, 4, 5], np.int32)
STRATEGIES = {
    "greedy": Greedy(),
    "sampling": Sampling(seeds=7, temperature=1.3),
    "beam": Beam(3, 0.6),
    "n_best": Beam(4, 1.0, n_best=4),
}


def make(vocabulary_size=7, **options):
    """A model whose scores are far apart, so that no two texts are equally likely."""
    small = {"units": 4, "embedding_dim": 3, "dropout": 0.0, "jit": False}
    model = EncoderDecoder(
        EncoderDecoderConfig(vocabulary_size=vocabulary_size, **{**small, **options})
    )
    model.build()
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 1.0, variable.shape))
    return model


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return make(**KINDS[request.param])


# What the kind of model has no part in is shown with some of them.
of_models = functools.partial(pytest.mark.parametrize, indirect=["model"])


def translate(model, strategy, sources=SOURCES, limits=LIMITS):
    return [value.numpy() for value in translation(model, strategy)(sources, limits)]


@functools.cache
def translation(model, strategy):
    """A graph for any sentences."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    def run(sources, limits):
        memory, states = model.read(sources)
        return write(model, states, memory, limits, strategy)

    return run


def log_p_of(model, source, text):
    """log P of a text by teacher forcing."""
    targets = np.array([text], np.int32)
    with functions_run_eagerly():
        return float(tf.reduce_sum(model.log_probabilities(source[None], targets)))


def stripped(ids):
    return tuple(int(i) for i in ids if i)


def next_log_p(model, source, beginning):
    """log ŷ of the next token."""
    return after(model, tuple(source.tolist()), tuple(map(int, beginning)))[0]


@functools.cache
def after(model, source, beginning):
    """log ŷ behind a beginning, the states there and what the model looks back at."""
    if beginning:
        _, states, memory = after(model, source, beginning[:-1])
    else:
        memory, states = model.read(np.array([source], np.int32))
    a, states = model.step(np.array([beginning[-1] if beginning else 0], np.int32), states, memory)
    return tf.nn.log_softmax(model.scores(a))[0].numpy(), states, memory


def penalty(length, strategy):
    return ((5 + length) / 6) ** strategy.length_penalty


def slow_beam(model, source, limit, strategy):
    """Beam search as it is described, one text at a time."""
    going, ended = [((), 0.0)], []
    for t in range(limit):
        tried = []
        for beginning, log_p in going:
            y_hat = next_log_p(model, source, beginning)
            ended.append(((*beginning, 2), log_p + y_hat[2]))
            tried += [((*beginning, i), log_p + y_hat[i]) for i in range(3, len(y_hat))]
        ended.sort(key=lambda e: -e[1] / penalty(len(e[0]), strategy))
        going = sorted(tried, key=lambda e: -e[1])[: strategy.size]
        best = [e[1] / penalty(len(e[0]), strategy) for e in ended]
        enough = len(best) >= strategy.n_best
        if t + 1 == limit or (
            enough and going[0][1] / penalty(limit, strategy) <= best[strategy.n_best - 1]
        ):
            break
    return ended[: strategy.n_best]


# --- What is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_log_probability_is_that_of_the_text_with_its_end(model, name):
    ids, log_p, _ = translate(model, STRATEGIES[name])
    for row, source in enumerate(SOURCES):
        for text, found in zip(ids[row], log_p[row], strict=True):
            text = stripped(text)
            assert text[-1] == 2
            assert text.count(2) == 1
            assert len(text) <= LIMITS[row]
            assert found == pytest.approx(log_p_of(model, source, text), abs=1e-4)
    assert ids.shape[2] == max(len(stripped(text)) for some in ids for text in some)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_row_does_not_depend_on_its_batch(model, name):
    ids, log_p, scores = translate(model, STRATEGIES[name])
    for row in range(len(SOURCES)):
        source = SOURCES[row : row + 1]
        source = source[:, : np.count_nonzero(source)]
        alone = translate(model, STRATEGIES[name], source, LIMITS[row : row + 1])
        for text, other in zip(alone[0][0], ids[row], strict=True):
            assert stripped(text) == stripped(other)
        np.testing.assert_allclose(alone[1][0], log_p[row], atol=1e-5)
        np.testing.assert_allclose(alone[2][0], scores[row], atol=1e-5)


def test_greedy_takes_the_likeliest_token(model):
    ids, *_ = translate(model, Greedy())
    for row, source in enumerate(SOURCES):
        text = []
        while not text or text[-1] != 2:
            allowed = next_log_p(model, source, text)[2:]
            text.append(2 if len(text) + 1 == LIMITS[row] else 2 + int(np.argmax(allowed)))
        assert stripped(ids[row, 0]) == tuple(text)


@of_models(
    ("model", "strategy"),
    [
        *itertools.product(KINDS, [STRATEGIES["beam"], STRATEGIES["n_best"]]),
        ("none", Beam(1, 0.0)),
    ],
)
def test_a_beam_is_the_slow_one(model, strategy):
    ids, log_p, scores = translate(model, strategy)
    for row, source in enumerate(SOURCES):
        expected = slow_beam(model, source, LIMITS[row], strategy)
        assert [stripped(text) for text in ids[row]] == [text for text, _ in expected]
        np.testing.assert_allclose(log_p[row], [p for _, p in expected], atol=1e-4)
        wanted = [p / penalty(len(text), strategy) for text, p in expected]
        np.testing.assert_allclose(scores[row], wanted, atol=1e-4)


@of_models(("model", "length_penalty"), [("none", 0.0), ("additive_feeding", 1.0)])
def test_a_beam_that_forgets_nothing_is_exhaustive_search(model, length_penalty):
    strategy = Beam(64, length_penalty, n_best=5)
    ids, log_p, _ = translate(model, strategy, limits=np.full([4], 4, np.int32))
    for row, source in enumerate(SOURCES):
        texts = [(*some, 2) for n in range(4) for some in itertools.product(range(3, 7), repeat=n)]
        padded = np.array([[*text, *[0] * (4 - len(text))] for text in texts], np.int32)
        sources = np.tile(source, [len(texts), 1])
        found = tf.reduce_sum(model.log_probabilities(sources, padded), axis=1).numpy()
        ranked = found / [penalty(len(text), strategy) for text in texts]
        best = np.argsort(-ranked)[:5]
        assert [stripped(text) for text in ids[row]] == [texts[i] for i in best]
        np.testing.assert_allclose(log_p[row], found[best], atol=1e-4)


def test_where_there_are_fewer_texts_than_wanted_the_rest_is_empty():
    model = make(vocabulary_size=4, source_vocabulary_size=7)
    ids, log_p, scores = translate(model, Beam(6, n_best=6), limits=np.full([4], 3, np.int32))
    assert [stripped(text) for text in ids[0][3:]] == [()] * 3
    assert sorted(map(len, map(stripped, ids[0][:3]))) == [1, 2, 3]
    assert np.all(np.isneginf(log_p[:, 3:])) and np.all(np.isneginf(scores[:, 3:]))


def test_texts_are_drawn_as_often_as_they_are_probable():
    model, count = make(), 4000
    sources = np.tile(SOURCES[:1], [count, 1])
    strategy = Sampling(seeds=np.arange(count), forbidden=())
    ids, log_p, _ = translate(model, strategy, sources, np.full([count], 3, np.int32))
    texts, times = np.unique(ids[:, 0, :2], axis=0, return_counts=True)
    for text, n in zip(texts, times, strict=True):
        p = np.exp(log_p_of(model, SOURCES[0], text[: 1 + np.argmax(text == 2)]))
        if 2 not in text:
            p = np.exp(sum(next_log_p(model, SOURCES[0], text[:k])[text[k]] for k in range(2)))
        assert n / count == pytest.approx(p, abs=0.035)
    assert np.all(log_p < 0)


@of_models("model", ["additive_feeding"])
def test_at_no_temperature_it_is_greedy(model):
    drawn = translate(model, Sampling(temperature=0.0, top_k=3, top_p=0.9))
    for one, other in zip(drawn, translate(model, Greedy()), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", STRATEGIES)
def test_of_no_sentences_nothing_is_written(model, name):
    ids, log_p, _ = translate(model, STRATEGIES[name], SOURCES[:0], LIMITS[:0])
    assert ids.shape[0] == log_p.shape[0] == 0


@of_models("model", ["additive_feeding"])
def test_a_saved_model_writes_the_same_and_holds_no_xla(model, tmp_path):
    run = translation(model, STRATEGIES["n_best"])
    module = tf.Module()
    module.model, module.run = model, run
    tf.saved_model.save(module, str(tmp_path))
    meta = SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes()).meta_graphs[0]
    functions = meta.graph_def.library.function
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
    loaded = tf.saved_model.load(str(tmp_path))
    for one, other in zip(loaded.run(SOURCES, LIMITS), run(SOURCES, LIMITS), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


# --- What it costs -------------------------------------------------------------------------------


class Counted:
    """A model that counts the rows of its steps; row i ends after `lengths[i]` tokens."""

    def __init__(self, lengths):
        self.lengths, self.rows = np.array(lengths), tf.Variable(0)

    def step(self, ids, states, memory):
        (t,), (lengths,) = states, memory
        with tf.control_dependencies([self.rows.assign_add(tf.size(ids))]):
            count = tf.size(t) // tf.maximum(tf.size(lengths), 1)
            ends = t + 1 >= tf.repeat(lengths, count)
            return tf.one_hot(tf.where(ends, 2, 3), 5), [t + 1]

    def scores(self, a):
        return 20 * a


def test_finished_rows_drop_out():
    writer = Counted([1, 9, 2, 3, 1])
    limits = tf.constant([20] * 5)
    zeros = tf.zeros([5], tf.int32)

    @tf.function(autograph=False)
    def run():
        return write(writer, [zeros], [tf.constant(writer.lengths, tf.int32)], limits, Greedy())

    ids = run().ids.numpy()[:, 0]
    assert [len(stripped(text)) for text in ids] == [1, 9, 2, 3, 1]
    assert int(writer.rows) == 1 + 9 + 2 + 3 + 1  # as many as there are tokens
    assert ids.shape == (5, 9)


def test_what_a_beam_cannot_be_is_named():
    for wrong in ({"size": 0}, {"n_best": 6}, {"length_penalty": -1.0}):
        with pytest.raises(ValueError, match="Beam: expected a size of 1 or more"):
            Beam(**wrong)


def test_a_text_that_is_drawn_depends_on_its_seed_alone():
    numbers = drawing.uniforms(tf.constant([3, 5]), tf.constant(300))
    np.testing.assert_array_equal(numbers[1], drawing.uniforms(tf.constant([5]), 300)[0])
