"""Language models: the lecture's equations, the softmax in turns, running text, sampling."""

import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from layers import softmax
from tasks.data import running as streams
from tasks.data.errors import DataError
from tasks.language import demo as demo_language
from tasks.language import dynamic_evaluation as dynamic
from tasks.language import reading as texts
from zoo import text
from zoo.configuration import LanguageModelConfig
from zoo.decoding import drawing
from zoo.models import LanguageModel
from zoo.text import tokens

RNG = np.random.default_rng(0)
TARGETS = np.array([[5, 3, 4, 2], [6, 2, 0, 0]], np.int32)
START = np.zeros(2, np.int32)
CELLS = ["rnn", "gru_simplified", "gru", "gru_reset_after", "lstm"]


def make(cell="lstm", **options):
    small = {"vocabulary_size": 7, "units": 4, "embedding_dim": 3, "dropout": 0.0, "jit": False}
    model = LanguageModel(LanguageModelConfig(cell=cell, **{**small, **options}))
    model({"targets": TARGETS, "before": START, "fresh": np.ones(2, bool)})
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(0, 0.5, variable.shape))
    return model


def log_softmax(scores):
    return scores - np.log(np.sum(np.exp(scores), axis=-1, keepdims=True))


@pytest.mark.parametrize("samples", [3, 500])
@without_graphs
def test_a_sampled_softmax_is_for_training_alone(samples):
    model = make(sampled_softmax=samples)
    x = {"targets": TARGETS, "before": START, "fresh": np.ones(2, bool)}
    exact = -np.sum(model.log_probabilities(TARGETS, START, model.zero_states(2))[0]) / 6

    def loss(training):
        return float(model.compute_loss(x, y_pred=model(x), training=training))

    assert loss(training=False) == pytest.approx(exact, rel=1e-5)
    # Compared with all words, which are no more than seven, it is the whole softmax.
    assert (loss(training=True) == pytest.approx(exact, rel=1e-5)) == (samples > 7)


# --- The lecture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", CELLS)
@without_graphs
def test_probabilities_are_those_of_the_lecture_step_by_step(cell, tied):
    """x<1> = 0, x<t> = y<t-1>; each step alone, by hand, against the whole sequence at once."""
    model = make(cell, tied=tied, depth=2)
    embedding = model.word_embedding.embeddings.numpy()
    w = embedding if tied else model.w.numpy()
    found, _ = model.log_probabilities(tf.constant(TARGETS), START, model.zero_states(2))
    for row, targets in enumerate(TARGETS):
        x, states = np.zeros([1, 3], "float32"), model.zero_states(1)
        for t, y in enumerate(targets):
            if y == tokens.PADDING:
                assert found[row, t] == 0
                continue
            a, count = tf.constant(x), len(states) // 2
            for i, stack in enumerate(model.stacks):
                part = states[i * count : (i + 1) * count]
                a, part = stack.step(a, part)
                states[i * count : (i + 1) * count] = part
            a = a if model.projection is None else model.projection(a)
            y_hat = log_softmax(a.numpy() @ w.T + model.b.numpy())
            assert float(found[row, t]) == pytest.approx(float(y_hat[0, y]), abs=1e-5)
            x = embedding[[y]]


@without_graphs
def test_the_loss_is_the_mean_of_the_negative_log_probabilities():
    model = make()
    inputs = {"targets": TARGETS, "before": START, "fresh": np.ones(2, bool)}
    found, _ = model.log_probabilities(tf.constant(TARGETS), START, model.zero_states(2))
    loss = model.compute_loss(x=inputs, y_pred=model(inputs))
    assert float(loss) == pytest.approx(-float(tf.reduce_sum(found)) / 6, abs=1e-6)


def test_probabilities_of_all_continuations_sum_to_one():
    model = make("gru")
    total = 0
    for first in range(7):
        for second in range(7):
            pair = np.array([[first, second]], np.int32)
            a, _ = model.run(model.inputs_of(pair, START[:1]), model.zero_states(1))
            y_hat = log_softmax(model.scores(a[0]).numpy())
            total += np.exp(y_hat[0, first] + y_hat[1, second])
    assert total == pytest.approx(1, abs=1e-5)


@without_graphs
def test_a_state_that_is_carried_makes_windows_one_text():
    model = make("lstm", depth=2)
    whole, _ = model.log_probabilities(tf.constant(TARGETS), START, model.zero_states(2))
    first, states = model.log_probabilities(
        tf.constant(TARGETS[:, :2]), START, model.zero_states(2)
    )
    second, _ = model.log_probabilities(tf.constant(TARGETS[:, 2:]), TARGETS[:, 1], states)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), whole, atol=1e-6)


@without_graphs
def test_training_carries_the_state_and_forgets_it_where_a_text_begins():
    model = make("lstm", rows=2)

    def step(window, before, fresh):
        inputs = {"targets": window, "before": before, "fresh": np.array(fresh)}
        return model(inputs, training=True).numpy()

    targets = np.array([[5, 3, 4, 6], [6, 4, 3, 5]], np.int32)
    whole = step(targets, START, [True, True])
    step(targets[:, :2], START, [True, True])
    carried = step(targets[:, 2:], targets[:, 1], [False, True])
    np.testing.assert_allclose(carried[0], whole[0, 2:], atol=1e-6)
    alone = step(targets[:, 2:], targets[:, 1], [True, True])
    np.testing.assert_allclose(carried[1], alone[1], atol=1e-6)
    assert not np.allclose(carried[0], alone[0])


@without_graphs
def test_padding_behind_a_window_that_is_cut_short_does_not_change_what_is_carried():
    model = make("lstm", rows=2)
    ids = np.array([[5, 3, 4, 6, 2], [6, 4, 3, 5, 2]], np.int32)
    whole, _ = model.run(model.inputs_of(ids, START), model.zero_states(2))
    cut = np.pad(ids[:, :2], [[0, 0], [0, 1]])
    model({"targets": cut, "before": START, "fresh": np.ones(2, bool)}, training=True)
    later = {"targets": ids[:, 2:], "before": ids[:, 1], "fresh": np.zeros(2, bool)}
    np.testing.assert_allclose(model(later, training=True), whole[:, 2:], atol=1e-6)


@without_graphs
def test_states_are_carried_in_16_bits_too():
    config = LanguageModelConfig(vocabulary_size=9, units=4, embedding_dim=4, rows=2, jit=False)
    model = LanguageModel(config, dtype="mixed_bfloat16")
    model.build()
    window = {"targets": TARGETS, "before": START, "fresh": np.array([True, False])}
    assert model(window, training=True).dtype == tf.bfloat16


def test_dynamic_evaluation_scores_a_window_before_it_learns_from_it():
    model = make()
    weights = model.get_weights()
    ids = np.tile(np.array([5, 3, 4, 2, 6], np.int32), 40)

    def static(ids):
        p, _ = model.log_probabilities(ids[None], START[:1], model.zero_states(1))
        return float(tf.reduce_sum(p))

    def learning(ids, rate):
        return dynamic.scorer(model, window=8, rate=rate, clip_norm=1.0)(ids)

    assert learning(ids, rate=0.0) == pytest.approx(static(ids), rel=1e-5)
    assert learning(ids[:8], rate=0.5) == pytest.approx(static(ids[:8]), rel=1e-5)
    assert learning(ids, rate=0.5) > 0.95 * static(ids)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@without_graphs
def test_dropout_is_the_same_at_every_step():
    model = make("rnn", dropout=0.5, tied=False)
    inputs = {
        "targets": np.full([1, 9], 5, np.int32),
        "before": START[:1],
        "fresh": np.ones(1, bool),
    }
    a = model(inputs, training=True).numpy()[0]
    dropped = a[1:] == 0  # a<1> is zeros, since x<1> is
    assert np.all(dropped == dropped[0])
    assert 0 < dropped[0].sum() < 4


# --- The softmax ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 12, 1000])
def test_the_softmax_in_turns_has_the_values_and_gradients_of_the_whole(at_once, monkeypatch):
    monkeypatch.setattr(softmax, "_SCORES_AT_ONCE", at_once)
    a, w, b = (tf.constant(RNG.normal(size=s)) for s in ([5, 3], [6, 3], [6]))
    targets, weights = tf.constant([0, 5, 2, 3, 1]), tf.constant([1.0, 0, 1, 2, 0.5], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, w, b])
        turns = 3 * softmax.summed_cross_entropy(a, w, b, targets, weights)
        scores = tf.matmul(a, w, transpose_b=True) + b
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
        whole = 3 * tf.reduce_sum(losses * weights)
    np.testing.assert_allclose(turns, whole)
    for one, other in zip(
        tape.gradient(turns, [a, w, b]), tape.gradient(whole, [a, w, b]), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(softmax.log_probabilities(a, w, b, targets), -losses)


def test_the_softmax_of_no_rows_is_nothing():
    none = tf.zeros([0, 3])
    targets, weights = tf.zeros([0], tf.int32), tf.zeros([0])
    w, b = tf.ones([6, 3]), tf.ones([6])
    assert float(softmax.summed_cross_entropy(none, w, b, targets, weights)) == 0
    assert softmax.log_probabilities(none, w, b, targets).shape == [0]


# --- Running text --------------------------------------------------------------------------------


def test_windows_hold_every_token_once_and_know_what_came_before():
    some = [np.arange(10, 10 + n, dtype=np.int32) for n in (23, 5, 2)]
    rows = streams.rows_of(some, 3)
    for random in (None, np.random.default_rng(0)):
        seen, last = [], [None] * 3
        for window in streams.windows(rows, 4, random):
            batch = streams.batch(window, 4)
            for i, (targets, before, fresh) in enumerate(
                zip(batch["targets"], batch["before"], batch["fresh"], strict=True)
            ):
                real = targets[targets > 0]
                seen += real.tolist()
                if len(real):
                    assert before == (real[0] - 1 if real[0] > 10 else 0)
                    assert fresh == (last[i] != real[0] - 1)
                    last[i] = real[-1]
        assert sorted(seen) == sorted(np.concatenate(some).tolist())


# --- Tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", tokens.KINDS)
@pytest.mark.parametrize(
    "one", ["The cat, which ate, was full.", "a\nb", "", "back\\slash \\n", "naïve 👍🏽 שלום"]
)
def test_texts_come_back_from_their_ids(kind, one, tmp_path):
    found = tokens.tokenize(tf.constant([one, "x"]), kind).flat_values.numpy().tolist()
    names = tokens.make_vocabulary(found, 100, 1, kind)
    assert names[:2] == ["<UNK>", "<EOS>"]
    reader = tokens.Tokens(text.write_lines(str(tmp_path / "v.txt"), names), kind)
    ids = reader.ids(tf.constant([one, "unseen ☃"]))
    assert ids[0][-1] == ids[1][-1] == tokens.END
    assert tokens.UNKNOWN not in ids[0].numpy()
    assert tokens.UNKNOWN in ids[1].numpy()
    if kind == "words":  # blanks are not kept, and punctuation is put where it belongs
        again = reader.ids(reader.write(ids.to_tensor()))
        assert again[0].numpy().tolist() == ids[0].numpy().tolist()
    else:
        assert reader.write(ids.to_tensor())[0].numpy().decode() == one


def test_the_vocabulary_is_the_most_common_words_and_all_characters():
    found = [b"a", b"a", b"b", b"b", b"c", b"<unk>", b"<EOS>"]
    assert tokens.make_vocabulary(found, 4, 1, "words") == ["<UNK>", "<EOS>", "a", "b"]
    assert tokens.make_vocabulary(found, 9, 2, "words") == ["<UNK>", "<EOS>", "a", "b"]
    assert len(tokens.make_vocabulary([b"x", b"y", b"z"], 2, 5, "characters")) == 5


# --- Sampling ------------------------------------------------------------------------------------

NOTHING = np.zeros(4, bool)
P = np.array([0.5, 0.25, 0.15, 0.1], np.float32)


def shares(temperature=1.0, top_k=0, top_p=1.0, forbidden=NOTHING, count=4000):
    uniform = (np.arange(count, dtype=np.float32) + 0.5) / count
    ids, log_p = drawing.draw(
        tf.tile(tf.math.log(P)[None], [count, 1]), tf.constant(uniform),
        tf.fill([count], temperature), tf.fill([count], top_k), tf.fill([count], top_p), forbidden,
    )  # fmt: skip
    np.testing.assert_allclose(log_p, np.log(P)[ids], atol=1e-6)
    return np.bincount(ids, minlength=4) / count


def test_tokens_are_drawn_as_often_as_they_are_probable():
    np.testing.assert_allclose(shares(), P, atol=1e-3)
    np.testing.assert_allclose(shares(temperature=0.5), P**2 / np.sum(P**2), atol=1e-3)
    np.testing.assert_allclose(shares(temperature=np.inf), [0.25] * 4, atol=1e-3)
    np.testing.assert_array_equal(shares(temperature=0.0), [1, 0, 0, 0])


def test_top_k_and_top_p_leave_out_the_unlikely_ones():
    np.testing.assert_allclose(shares(top_k=2), [2 / 3, 1 / 3, 0, 0], atol=1e-3)
    np.testing.assert_allclose(shares(top_k=9), P, atol=1e-3)
    np.testing.assert_allclose(shares(top_p=0.7), [2 / 3, 1 / 3, 0, 0], atol=1e-3)
    np.testing.assert_array_equal(shares(top_p=0.1), [1, 0, 0, 0])


def test_what_is_forbidden_is_drawn_again():
    forbidden = np.array([True, False, False, False])
    np.testing.assert_allclose(shares(forbidden=forbidden), [0, 0.5, 0.3, 0.2], atol=1e-3)
    np.testing.assert_array_equal(shares(0.0, forbidden=forbidden), [0, 1, 0, 0])
    np.testing.assert_allclose(shares(np.inf, forbidden=forbidden)[0], 0)


def left(p, k, mass):
    """The tokens that top-k and top-p leave of a row, by a sort of it."""
    descending = np.sort(p)[::-1]
    before = np.cumsum(descending) - descending
    stays = (np.arange(len(p)) < (k if k > 0 else len(p))) & ((before < mass) | (mass >= 1))
    return p >= descending[: max(1, stays.sum())].min()


@pytest.mark.parametrize("size", [5, 700, 5000])
def test_a_row_is_drawn_alike_alone_and_beside_rows_with_other_filters(size):
    generator, rows = np.random.default_rng(size), 60
    scores = generator.integers(-40, 5, [rows, size]).astype(np.float32) / 4  # many are equal
    k = generator.integers(0, 12, rows).astype(np.int32)
    mass = generator.uniform(-0.1, 1.2, rows).astype(np.float32)
    k[::3], mass[::6] = 0, 1.0  # some ask for neither
    uniform = generator.uniform(size=rows).astype(np.float32)
    none, one = np.zeros(size, bool), np.ones(rows, np.float32)
    draw = tf.function(drawing.draw, autograph=False)
    ids, log_p = (x.numpy() for x in draw(scores, uniform, one, k, mass, none))
    for i in range(rows):
        alone = slice(i, i + 1)
        found, found_log_p = draw(
            *(x[alone] for x in (scores, uniform, one, k, mass)), forbidden=none
        )
        assert (found[0], found_log_p[0]) == (ids[i], log_p[i])
        p = np.exp(scores[i].astype(np.float64))
        p /= p.sum()
        assert log_p[i] == pytest.approx(np.log(p[ids[i]]), abs=1e-4)
        p = np.where(left(p, k[i], mass[i]), p, 0)
        cumulated = np.cumsum(p) / p.sum()
        assert cumulated[ids[i]] - p[ids[i]] / p.sum() - 1e-5 <= uniform[i]
        assert uniform[i] <= cumulated[ids[i]] + 1e-5


def test_numbers_of_a_seed_do_not_depend_on_how_many_are_drawn():
    one = drawing.uniforms(tf.constant([7]), tf.constant(10)).numpy()
    more = drawing.uniforms(tf.constant([3, 7]), tf.constant(1000)).numpy()
    np.testing.assert_array_equal(one[0], more[1, : one.shape[1]])
    assert not np.array_equal(more[0], more[1])
    assert len(np.unique(more)) > 0.99 * more.size
    assert more.mean() == pytest.approx(0.5, abs=0.05)


# --- Texts ---------------------------------------------------------------------------------------


def test_built_in_sentences_are_in_one_split_and_agree():
    corpus = demo_language.corpus()
    assert not set(corpus["train"]) & {*corpus["validation"], *corpus["test"]}
    cases = demo_language.agreements((4, 10), 5)
    assert [case.distance for case in cases] == [4] * 5 + [10] * 5
    plurals = set(demo_language.NOUNS.values())
    for case in cases:
        words = case.beginning.replace(",", " ,").split()
        assert (words[1] in plurals) == (case.right in ("were", "are"))
        assert len(words) - 2 == case.distance
    known = {sentence.rsplit(" ", 2)[0] for sentence in corpus["train"]}
    assert not known & {case.beginning for case in cases}


def test_files_are_a_text_a_line_or_one_running_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n\n two \nthree\n" * 5)
    corpus = texts.load_corpus("files", {"train": str(path)}, ["train", "validation"])
    assert len(corpus["train"]) == 13
    assert set(corpus["train"]) == {"one", "two", "three"}
    corpus = texts.load_corpus(
        "files", {"train": str(path)}, ["train", "validation", "test"], 0, ["test"], running=True
    )
    assert corpus.keys() == {"train", "validation"}
    assert corpus["train"][0] + corpus["validation"][0] == ("one\n\n two \nthree\n" * 5)[:-1]
    assert corpus["validation"][0]
    path.write_text("\n \n")
    with pytest.raises(DataError, match="expected text, found none"):
        texts.load_corpus("files", {"train": str(path)}, ["train"])
