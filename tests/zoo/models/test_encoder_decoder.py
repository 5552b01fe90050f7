"""Encoder and decoder: the equations step by step, bridge, loss, masks, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from zoo.configuration import EncoderDecoderConfig
from zoo.models import EncoderDecoder
from zoo.text import tokens

SOURCE = np.array([[5, 3, 4, 6], [6, 4, 0, 0], [0, 0, 0, 0]], np.int32)
TARGETS = np.array([[3, 5, 2], [6, 2, 0], [4, 2, 0]], np.int32)
INPUTS = {"source": SOURCE, "targets": TARGETS}
KINDS = {
    "none": {"attention": "none"},
    "none_forward": {"attention": "none", "bidirectional": False, "tied": False},
    "none_projected": {"attention": "none", "units": 4, "embedding_dim": 3, "depth": 2},
    "additive": {"attention": "additive", "depth": 2, "cell": "gru_simplified"},
    "dot": {"attention": "dot", "cell": "rnn"},
    "dot_forward": {"attention": "dot", "bidirectional": False},
    "general": {"attention": "general", "source_vocabulary_size": 9},
    "feeding": {"attention": "general", "input_feeding": True, "depth": 2, "tied": False},
    "feeding_additive": {"attention": "additive", "input_feeding": True, "cell": "gru"},
    "feeding_dot": {"attention": "dot", "input_feeding": True, "cell": "gru_reset_after"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)
# The equations are checked with every kind; what follows from them with one of each way to decode.
some_kinds = pytest.mark.parametrize("kind", ["none", "dot", "additive", "feeding_additive"])


def make(kind="general", **options):
    small = {"vocabulary_size": 7, "units": 4, "embedding_dim": 3, "dropout": 0.0, "jit": False}
    model = EncoderDecoder(EncoderDecoderConfig(**{**small, **KINDS[kind], **options}))
    model.build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return model


def numbers(tensor):
    return tf.convert_to_tensor(tensor).numpy()


def log_softmax(scores):
    return scores - np.log(np.sum(np.exp(scores), axis=-1, keepdims=True))


# --- The equations -------------------------------------------------------------------------------


@every_kind
@without_graphs
def test_probabilities_are_those_of_the_equations_step_by_step(kind):
    """One sentence, without padding, one token at a time, attention written out."""
    model = make(kind)
    found = model.log_probabilities(SOURCE, TARGETS)
    states_of_layer = model.decoders[0].states_per_layer
    for row, (x, y) in enumerate(zip(SOURCE[:2], TARGETS[:2], strict=True)):
        embedding = model.source_embedding or model.word_embedding
        h, start = tf.gather(embedding.embeddings, x[x > 0])[None], []
        for i, stack in enumerate(model.encoders):
            h, *ends = stack(h)
            for k in range(states_of_layer):
                bridge = model.bridges[i * states_of_layer + k]
                both = np.concatenate(ends[k::states_of_layer], axis=1)
                s = both @ bridge.kernel.numpy() + bridge.bias.numpy()
                start.append(s if k else np.tanh(s))
        h = h[0].numpy()
        keys = h
        if model.config.attention == "dot" and model.config.bidirectional:
            keys = h[:, :4] + h[:, 4:]
        named = {w.name: w.numpy() for w in model.attention.weights} if model.attention else {}
        w = numbers(model.word_embedding.embeddings if model.config.tied else model.w)
        fed, before = np.zeros([1, w.shape[1]], "float32"), np.zeros([1, 3], "float32")
        for t, token in enumerate(y[y > 0]):
            a, states = before, []
            if model.config.input_feeding:
                a = np.concatenate([before, fed], axis=1)
            for i, stack in enumerate(model.decoders):
                own = start[i * states_of_layer : (i + 1) * states_of_layer]
                a, own = stack.step(tf.constant(a), own)
                states += own
            a, start = numbers(a), states
            if model.config.attention == "additive":
                e = np.tanh(a @ named["query_kernel"] + keys @ named["key_kernel"])
                e = e @ named["scale"]
            elif model.config.attention == "general":
                e = keys @ named["key_kernel"] @ a[0]
            elif model.config.attention == "dot":
                e = keys @ a[0]
            if model.attention:
                alpha = np.exp(e) / np.exp(e).sum()
                both = np.concatenate([alpha @ h, a[0]])[None]
                a = fed = np.tanh(
                    both @ model.combine.kernel.numpy() + model.combine.bias.numpy()
                ).astype("float32")
            elif model.projection is not None:
                a = a @ model.projection.kernel.numpy()
            y_hat = log_softmax(a @ w.T + model.b.numpy())
            assert float(found[row, t]) == pytest.approx(float(y_hat[0, token]), abs=1e-5)
            before = model.word_embedding.embeddings.numpy()[[token]]
    assert np.all(numbers(found)[TARGETS == 0] == 0)


@every_kind
@without_graphs
def test_steps_alone_are_all_steps(kind):
    model = make(kind)
    memory, states = model.read(SOURCE)
    whole = model(INPUTS)
    ids = np.zeros(3, np.int32)
    for t in range(3):
        a, states = model.step(ids, states, memory)
        real = TARGETS[:, t] > 0
        np.testing.assert_allclose(numbers(a)[real], numbers(whole)[:, t][real], atol=1e-5)
        ids = TARGETS[:, t]


@some_kinds
@without_graphs
def test_rows_of_a_sentence_share_its_memory(kind):
    model = make(kind)
    memory, states = model.read(SOURCE)
    ids = np.array([3, 4, 5, 6, 3, 4], np.int32)
    twice, _ = model.step(ids, [tf.repeat(state, 2, axis=0) for state in states], memory)
    for k in range(2):
        once, _ = model.step(ids[k::2], states, memory)
        np.testing.assert_allclose(twice[k::2], once, atol=1e-6)


@some_kinds
@without_graphs
def test_a_sentence_does_not_depend_on_its_batch_or_padding(kind):
    model = make(kind)
    together = numbers(model.log_probabilities(SOURCE, TARGETS))
    wide = {k: np.pad(v, [[0, 0], [0, 3]]) for k, v in INPUTS.items()}
    padded = numbers(model.log_probabilities(wide["source"], wide["targets"]))
    np.testing.assert_allclose(padded[:, :3], together, atol=1e-5)
    for row in range(3):
        x, y = SOURCE[row], TARGETS[row]
        alone = model.log_probabilities(x[x > 0][None], y[y > 0][None])
        np.testing.assert_allclose(alone[0], together[row, : alone.shape[1]], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["general", "feeding_additive"])
def test_in_training_compiled_it_has_the_same_loss_and_gradients(kind):
    found = []
    for jit in (False, True):
        model = make(kind, jit=jit, label_smoothing=0.1)

        @tf.function(autograph=False)
        def gradients(model=model):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x=INPUTS, y_pred=model(INPUTS, training=True))
            slopes = tape.gradient(loss, model.trainable_variables)
            return [loss, *[tf.convert_to_tensor(slope) for slope in slopes]]

        found.append(gradients())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    # Each weight has a part in it.
    assert all(np.abs(value).max() > 1e-7 for value in found[0])


# --- The loss ------------------------------------------------------------------------------------


@without_graphs
def test_the_loss_is_the_mean_over_tokens_and_smooth_in_training_alone():
    model = make(label_smoothing=0.2)
    a = model(INPUTS)
    log_p = numbers(tf.nn.log_softmax(tf.reshape(model.scores(tf.reshape(a, [-1, 3])), [3, 3, 7])))
    right = np.take_along_axis(log_p, TARGETS[:, :, None], axis=2)[:, :, 0]
    real = TARGETS > 0
    plain = model.compute_loss(x=INPUTS, y_pred=a, training=False)
    assert float(plain) == pytest.approx(-right[real].mean(), abs=1e-6)
    smooth = model.compute_loss(x=INPUTS, y_pred=a, training=True)
    wanted = -(0.8 * right + 0.2 * log_p.mean(axis=2))[real].mean()
    assert float(smooth) == pytest.approx(wanted, abs=1e-6)


@without_graphs
def test_weights_weigh_tokens_or_sentences():
    model = make(label_smoothing=0.0)
    a = model(INPUTS)
    log_p = numbers(model.log_probabilities(SOURCE, TARGETS))
    weights = np.array([2.0, 0.5, 0.0], "float32")
    found = model.compute_loss(x=INPUTS, y_pred=a, sample_weight=weights)
    assert float(found) == pytest.approx(-np.sum(log_p * weights[:, None]) / 7, abs=1e-6)
    of_tokens = np.arange(9, dtype="float32").reshape(3, 3)
    found = model.compute_loss(x=INPUTS, y_pred=a, sample_weight=of_tokens)
    assert float(found) == pytest.approx(-np.sum(log_p * of_tokens) / 7, abs=1e-6)
    with pytest.raises(ValueError, match="class_weight: expected none"):
        model.fit(INPUTS, np.zeros(3), class_weight={0: 2.0})


@pytest.mark.parametrize("kind", ["general", "feeding_additive"])
@without_graphs
def test_dropout_is_the_same_at_every_step(kind):
    model = make(kind, dropout=0.5)
    inputs = {"source": SOURCE[:1], "targets": np.full([1, 9], 5, np.int32)}
    dropped = model(inputs, training=True).numpy()[0] == 0
    assert np.all(dropped == dropped[0])
    wide = make(kind, dropout=0.5, embedding_dim=64)
    shares = [np.mean(wide(inputs, training=True).numpy() == 0) for _ in range(4)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.2)


# --- Attention -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["additive", "dot", "general", "feeding", "feeding_additive"])
@without_graphs
def test_an_alignment_is_what_each_step_looked_at(kind):
    model = make(kind)
    found = numbers(model.alignment(SOURCE, TARGETS))
    real = TARGETS > 0
    np.testing.assert_allclose(found[:2].sum(axis=2), real[:2], atol=1e-5)
    assert np.all(found[~real] == 0)
    assert np.all(found[np.tile((SOURCE == 0)[:, None], [1, 3, 1])] == 0)
    memory, states = model.read(SOURCE)
    ids = np.zeros(3, np.int32)
    for t in range(3):
        _, states = model.step(ids, states, memory)
        # The first state of the last layer is a<t>, the query.
        a = states[-model.decoders[0].states_per_layer]
        _, alpha = model.attention.attend(a, memory.keys, memory.values, memory.real)
        rows = real[:, t]
        np.testing.assert_allclose(numbers(alpha)[rows], found[:, t][rows], atol=1e-5)
        ids = TARGETS[:, t]


def test_without_attention_there_is_no_alignment():
    with pytest.raises(ValueError, match="alignment: expected a model with attention"):
        make("none").alignment(SOURCE, TARGETS)


# --- The configuration ---------------------------------------------------------------------------


@without_graphs
def test_embeddings_are_shared_where_the_configuration_says_so():
    def sizes(**options):
        model = make("general", **{"source_vocabulary_size": 0, **options})
        return sorted(tuple(w.shape) for w in model.trainable_weights if w.shape[0] in (7, 9))

    assert sizes() == [(7,), (7, 3)]
    assert sizes(source_vocabulary_size=9) == [(7,), (7, 3), (9, 3)]
    assert sizes(tied=False) == [(7,), (7, 3), (7, 3), (7, 4)]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="cell: expected a recurrent layer"):
        EncoderDecoderConfig(cell="none")
    with pytest.raises(ValueError, match="input_feeding: expected False without attention"):
        EncoderDecoderConfig(attention="none", input_feeding=True)
    with pytest.raises(ValueError, match="expected a configuration with vocabulary_size"):
        EncoderDecoder(EncoderDecoderConfig())


@pytest.mark.slow
def test_a_model_learns_to_reverse():
    """What goes in comes out in the opposite order: attention has to find its way."""
    rng = np.random.default_rng(0)
    x = rng.integers(3, 9, [256, 5]).astype(np.int32)
    y = np.concatenate([x[:, ::-1], np.full([256, 1], tokens.END, np.int32)], axis=1)
    options = {"vocabulary_size": 9, "units": 32, "embedding_dim": 16, "label_smoothing": 0.0}
    options |= {"cell": "gru", "bidirectional": False}
    model = make("general", source_vocabulary_size=0, **options)
    for variable in model.trainable_variables:
        variable.assign(0.3 * variable)
    model.compile("adam")
    model.optimizer.learning_rate = 0.01
    history = model.fit({"source": x, "targets": y}, np.zeros(256), epochs=12, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
