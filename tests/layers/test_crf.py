"""The CRF against the enumeration of all paths, and its gradient against the automatic one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.crf import CRF
from layers.engine.compiling import shared_function

TAGS = 3
RULES = {
    "free": {},
    "forbidden": {"forbidden": [(0, 2), (1, 1)], "forbidden_start": [2], "forbidden_end": [0]},
}
# Full, padded right, padded left, holes, one step, nothing.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1],
        [1, 0, 1, 0, 1],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)
BATCH, TIME = MASK.shape


def make(seed=0, dtype="float64", **kwargs) -> CRF:
    layer = CRF(kwargs.pop("tags", TAGS), dtype=dtype, **kwargs)
    layer.build((None, None, layer.tags))
    generator = np.random.default_rng(seed)
    layer.set_weights([generator.normal(size=w.shape) for w in layer.weights])
    return layer


def random_emissions(seed=1, scale=1.0, dtype="float64"):
    return (scale * np.random.default_rng(seed).normal(size=[BATCH, TIME, TAGS])).astype(dtype)


def allowed_tags(layer: CRF):
    """A random path that the layer allows for each row of MASK; nonsense at padded steps."""
    generator, tags = np.random.default_rng(2), np.full(MASK.shape, -7)
    for row, real in enumerate(MASK):
        scores = all_paths(layer, np.zeros([real.sum(), TAGS]))
        paths = [path for path, score in scores if score is not None]
        tags[row, real] = paths[generator.integers(len(paths))]
    return tags


def all_paths(layer: CRF, emissions):
    """Every path over the steps given, with its score; None where the path is forbidden."""
    transitions, start, end = (np.asarray(w, np.float64) for w in layer.get_weights())
    for path in itertools.product(range(layer.tags), repeat=len(emissions)):
        if not path:
            yield path, 0.0
            continue
        pairs = list(itertools.pairwise(path))
        if (
            path[0] in layer.forbidden_start
            or path[-1] in layer.forbidden_end
            or set(pairs) & set(layer.forbidden)
        ):
            yield path, None
            continue
        score = start[path[0]] + end[path[-1]]
        score += sum(emissions[t, tag] for t, tag in enumerate(path))
        yield path, score + sum(transitions[pair] for pair in pairs)


def enumerate_paths(layer: CRF, emissions, tags, mask):
    """What the layer computes, from all paths one by one; gradients are of Σ log-likelihoods."""
    batch, time, count = emissions.shape
    result = {
        "log_likelihood": np.zeros(batch),
        "best": np.zeros([batch, time], int),
        "score": np.zeros(batch),
        "marginals": np.zeros(emissions.shape),
        "d_emissions": np.zeros(emissions.shape),
        "d_transitions": np.zeros([count, count]),
        "d_start": np.zeros(count),
        "d_end": np.zeros(count),
    }
    for row in range(batch):
        steps = np.flatnonzero(mask[row])
        if not len(steps):
            continue
        paths = [p for p in all_paths(layer, emissions[row, steps]) if p[1] is not None]
        scores = np.array([score for _, score in paths])
        log_z = scores.max() + np.log(np.sum(np.exp(scores - scores.max())))
        observed = tuple(tags[row, steps])
        result["log_likelihood"][row] = dict(paths)[observed] - log_z
        result["best"][row, steps] = paths[int(np.argmax(scores))][0]
        result["score"][row] = scores.max()
        weighted = [(path, np.exp(score - log_z)) for path, score in paths]
        for path, weight in [(observed, -1.0), *weighted]:
            result["d_start"][path[0]] -= weight
            result["d_end"][path[-1]] -= weight
            for t, tag in zip(steps, path, strict=True):
                result["d_emissions"][row, t, tag] -= weight
            for pair in itertools.pairwise(path):
                result["d_transitions"][pair] -= weight
        for path, probability in weighted:
            for t, tag in zip(steps, path, strict=True):
                result["marginals"][row, t, tag] += probability
    return result


def value_and_gradients(layer: CRF, emissions, tags, mask, weights=None, training=False):
    emissions = tf.convert_to_tensor(emissions)
    with tf.GradientTape() as tape:
        tape.watch(emissions)
        value = layer.log_likelihood(emissions, tags, mask, training=training)
        total = tf.reduce_sum(value if weights is None else value * weights)
    variables = [weight.value for weight in layer.trainable_weights]
    return value, tape.gradient(total, [emissions, *variables])


# --- Against all paths ---------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["by_hand", "automatic"])
@pytest.mark.parametrize("rules", RULES)
def test_likelihood_and_gradients_against_all_paths(rules, gradient):
    layer = make(gradient=gradient, **RULES[rules])
    emissions, tags = random_emissions(), allowed_tags(make(**RULES[rules]))
    expected = enumerate_paths(layer, emissions, tags, MASK)
    value, gradients = value_and_gradients(layer, emissions, tags, MASK)
    np.testing.assert_allclose(value, expected["log_likelihood"], atol=1e-10)
    for name, got in zip(("emissions", "transitions", "start", "end"), gradients, strict=True):
        np.testing.assert_allclose(got, expected[f"d_{name}"], atol=1e-10, err_msg=name)
    assert np.abs(expected["d_transitions"]).max() > 0.1


@pytest.mark.parametrize(
    ("rules", "jit"), [("free", False), ("forbidden", False), ("forbidden", True)]
)
def test_viterbi_and_marginals_against_all_paths(rules, jit):
    layer = make(jit=jit, **RULES[rules])
    emissions = random_emissions()
    expected = enumerate_paths(layer, emissions, allowed_tags(layer), MASK)
    tags, score = layer.decode(emissions, MASK)
    assert tags.dtype == tf.int32
    np.testing.assert_array_equal(tags, expected["best"])
    np.testing.assert_allclose(score, expected["score"], atol=1e-10)
    marginals = layer.marginals(emissions, MASK)
    np.testing.assert_allclose(marginals, expected["marginals"], atol=1e-10)
    np.testing.assert_allclose(np.sum(marginals, 2), MASK, atol=1e-12)

    again, confidence = layer.decode_with_confidence(emissions, MASK)
    np.testing.assert_array_equal(again, tags)
    chosen = np.take_along_axis(expected["marginals"], expected["best"][:, :, None], 2)[:, :, 0]
    np.testing.assert_allclose(confidence, chosen * MASK, atol=1e-10)


@pytest.mark.parametrize("rules", RULES)
@without_graphs
def test_a_step_says_what_marginals_of_the_beginning_say(rules):
    """But for `end`, which marginals count at the last step there is."""
    layer = make(**RULES[rules] | {"forbidden_end": []})
    layer.end.assign(tf.zeros_like(layer.end))
    emissions, alpha = tf.constant(random_emissions()), tf.zeros([BATCH, TAGS], tf.float64)
    for t in range(TIME):
        alpha = layer.step(emissions[:, t], alpha, tf.fill([BATCH], t == 0))
        expected = layer.marginals(emissions[:, : t + 1])[:, -1]
        np.testing.assert_allclose(tf.exp(alpha), expected, atol=1e-9)


@pytest.mark.parametrize("rules", RULES)
@without_graphs
def test_probabilities_of_all_paths_sum_to_one(rules):
    layer = make(**RULES[rules])
    paths = np.array(list(itertools.product(range(TAGS), repeat=4)))
    emissions = np.repeat(random_emissions()[:1, :4], len(paths), axis=0)
    probabilities = np.exp(layer.log_likelihood(emissions, paths))
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-12)
    forbidden = np.array([score is None for _, score in all_paths(layer, emissions[0])])
    assert (probabilities[forbidden] == 0).all() and (probabilities[~forbidden] > 0).all()
    assert forbidden.any() == (rules == "forbidden")


# --- The gradient by hand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "rules"),
    [
        ("eager", "free"),
        ("graph", "forbidden"),
        ("compiled", "forbidden"),
        ("compiled_unknown_shape", "free"),
    ],
)
def test_gradient_by_hand_is_the_automatic_one(mode, rules):
    generator = np.random.default_rng(5)
    mask = generator.random([4, 21]) < 0.7
    mask[3] = False
    emissions = 3 * generator.normal(size=[4, 21, TAGS])
    tags = generator.integers(TAGS, size=[4, 21])  # forbidden transitions among them
    weights = generator.normal(size=4)
    value, expected = value_and_gradients(
        make(gradient="automatic", **RULES[rules]), emissions, tags, mask, weights
    )

    layer = make(jit=mode.startswith("compiled") or "auto", **RULES[rules])
    shape = [None, None] if mode == "compiled_unknown_shape" else [4, 21]
    signature = [
        tf.TensorSpec([*shape, TAGS], tf.float64),
        tf.TensorSpec(shape, tf.int64),
        tf.TensorSpec(shape, tf.bool),
        tf.TensorSpec(shape[:1], tf.float64),
    ]

    def run(*arguments):
        return value_and_gradients(layer, *arguments)

    if mode != "eager":
        run = tf.function(run, input_signature=signature)
    got, gradients = run(emissions, tags, mask, weights)
    np.testing.assert_allclose(got, value, atol=1e-9)
    for ours, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, reference, atol=1e-9)
    assert (np.asarray(gradients[0])[~mask] == 0).all()


def compiles(function: tf.types.experimental.ConcreteFunction) -> bool:
    definition = function.graph.as_graph_def()
    functions = [node for f in definition.library.function for node in f.node_def]
    attributes = [f.attr for f in definition.library.function]
    attributes += [node.attr for node in (*definition.node, *functions)]
    return any(a["_XlaMustCompile"].b for a in attributes if "_XlaMustCompile" in a)


@pytest.mark.parametrize(
    "jit, method, compiled",
    [
        ("auto", "loss", True),
        ("auto", "log_likelihood", False),
        (False, "loss", False),
        (True, "log_likelihood", True),
        ("auto", "marginals", False),
        (True, "marginals", True),
        ("auto", "decode", False),
    ],
)
def test_what_is_compiled(jit, method, compiled):
    layer = make(jit=jit)
    more = (allowed_tags(layer),) if method in ("loss", "log_likelihood") else ()
    function = tf.function(lambda emissions: getattr(layer, method)(emissions, *more))
    assert compiles(function.get_concrete_function(tf.constant(random_emissions()))) == compiled


def test_second_derivatives_are_refused_by_hand_and_right_automatically():
    tags, x = allowed_tags(make()), tf.constant(random_emissions())

    def second(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(layer.log_likelihood(x, tags, MASK))
            slope = tape.gradient(value, x)[0, 2, 1]
        return outer.gradient(slope, x)

    with pytest.raises(NotImplementedError, match="gradient='automatic'"):
        second(make())
    step = np.zeros(x.shape)
    step[0, 2, 1] = 1e-5
    slopes = [
        value_and_gradients(make(), x + side * step, tags, MASK)[1][0] for side in (1.0, -1.0)
    ]
    # Second derivatives are symmetric: one row of them by differences of the gradient.
    difference = (slopes[0] - slopes[1]) / 2e-5
    np.testing.assert_allclose(second(make(gradient="automatic")), difference, atol=1e-7)


# --- Rules ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1.0, 30.0, 200.0]),
    forbidden=st.sets(
        st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda pair: pair[1] != 3)
    ),
)
def test_forbidden_transitions_are_never_decoded(seed, scale, forbidden):
    # Tag 3 may follow everything, so that an allowed path is always left.
    layer = make(
        seed,
        "float32",
        tags=4,
        forbidden=sorted(forbidden),
        forbidden_start=[0],
        forbidden_end=[1, 2],
    )
    generator = np.random.default_rng(seed)
    tempting = np.tile(np.array([0, 1, 2, 0, 1, 2]), [8, 2])
    for row, (before, after) in zip(range(8), sorted(forbidden), strict=False):
        tempting[row, ::2], tempting[row, 1::2] = before, after
    emissions = generator.normal(size=[8, 12, 4]).astype("float32")
    emissions += scale * np.eye(4, dtype="float32")[tempting]
    mask = generator.random([8, 12]) < 0.8
    tags, _ = layer.decode(emissions, mask)
    likelihood = layer.log_likelihood(emissions, tags, mask)
    for row, real in zip(tags.numpy(), mask, strict=True):
        path = row[real]
        assert not set(itertools.pairwise(path)) & forbidden
        assert not len(path) or (path[0] != 0 and path[-1] not in (1, 2))
        assert (row[~real] == 0).all()
    # The best path of T steps is at least as probable as 1 / number of paths.
    assert (likelihood.numpy() >= -np.log(4) * mask.sum(1) - 0.05).all()


def test_forbidden_transitions_are_not_decoded_whatever_they_would_gain():
    layer = make(dtype="float32", tags=2, forbidden=[(0, 1)])
    emissions = np.full([1, 60, 2], -200, "float32")
    emissions[0, :30, 0] = emissions[0, 30:, 1] = 200
    tags, _ = layer.decode(emissions)
    assert set(itertools.pairwise(tags[0].numpy())) <= {(0, 0), (1, 1), (1, 0)}


@without_graphs
def test_forbidden_scores_stay_out_of_probabilities_and_gradients():
    layer = make(**RULES["forbidden"])
    emissions, tags = random_emissions(), allowed_tags(layer)
    before, gradients = value_and_gradients(layer, emissions, tags, MASK)
    assert gradients[1][0, 2] == gradients[1][1, 1] == gradients[2][2] == gradients[3][0] == 0
    transitions, start, end = layer.get_weights()
    transitions[0, 2] = transitions[1, 1] = start[2] = end[0] = 50
    layer.set_weights([transitions, start, end])
    np.testing.assert_array_equal(layer.log_likelihood(emissions, tags, MASK), before)


@without_graphs
def test_forbidden_tags_observed_give_finite_numbers():
    layer = make(dtype="float32", **RULES["forbidden"])
    emissions = random_emissions(dtype="float32")
    value, gradients = value_and_gradients(layer, emissions, np.full_like(MASK, 1, int), MASK)
    assert np.isfinite(value).all() and value[0] < -1e6
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert np.abs(gradients[0]).max() <= 1.001


# --- Padding and precision -----------------------------------------------------------------------


@without_graphs
def test_a_sequence_gives_the_same_answer_alone_and_padded():
    layer = make(**RULES["forbidden"])
    emissions, tags = random_emissions(), allowed_tags(layer)
    poisoned = np.where(MASK[:, :, None], emissions, np.nan)
    likelihood, gradients = value_and_gradients(layer, poisoned, tags, MASK)
    best, score = layer.decode(poisoned, MASK)
    marginals = layer.marginals(poisoned, MASK)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    for row, real in enumerate(MASK[:-1]):
        alone = emissions[row : row + 1, real]
        one_likelihood, one_gradients = value_and_gradients(
            layer, alone, tags[row : row + 1, real], None
        )
        one_best, one_score = layer.decode(alone)
        np.testing.assert_allclose(one_likelihood[0], likelihood[row], atol=1e-12)
        np.testing.assert_allclose(one_gradients[0][0], gradients[0].numpy()[row, real], atol=1e-12)
        np.testing.assert_array_equal(one_best[0], best.numpy()[row, real])
        np.testing.assert_allclose(one_score[0], score[row], atol=1e-12)
        np.testing.assert_allclose(
            layer.marginals(alone)[0], marginals.numpy()[row, real], atol=1e-12
        )


@pytest.mark.parametrize("jit", [False, True])
def test_sequences_of_padding_alone(jit):
    layer = make(dtype="float32", jit=jit, **RULES["forbidden"])
    emissions, mask = np.full([*MASK.shape, TAGS], np.nan, "float32"), np.zeros_like(MASK)
    value, gradients = value_and_gradients(layer, emissions, np.full(MASK.shape, -1), mask)
    assert (value.numpy() == 0).all() and all((g.numpy() == 0).all() for g in gradients)
    tags, score = layer.decode(emissions, mask)
    assert (tags.numpy() == 0).all() and (score.numpy() == 0).all()
    assert (layer.marginals(emissions, mask).numpy() == 0).all()
    assert (layer.decode_with_confidence(emissions, mask)[1].numpy() == 0).all()


@pytest.mark.parametrize(("jit", "rules"), [(False, "free"), (True, "forbidden")])
def test_large_emissions(jit, rules):
    exact, layer = make(**RULES[rules]), make(dtype="float32", jit=jit, **RULES[rules])
    emissions = np.random.default_rng(3).uniform(-200, 200, [BATCH, TIME, TAGS]).astype("float32")
    emissions[0] = np.array([200, -200, 200])  # the only way on may be the worst tag
    tags = allowed_tags(exact)
    expected = enumerate_paths(exact, emissions.astype("float64"), tags, MASK)
    value, gradients = value_and_gradients(layer, emissions, tags, MASK)
    np.testing.assert_allclose(value, expected["log_likelihood"], rtol=1e-6, atol=1e-3)
    for name, got in zip(("emissions", "transitions", "start", "end"), gradients, strict=True):
        np.testing.assert_allclose(got, expected[f"d_{name}"], atol=1e-3, err_msg=name)
    np.testing.assert_allclose(layer.marginals(emissions, MASK), expected["marginals"], atol=1e-3)
    np.testing.assert_array_equal(layer.decode(emissions, MASK)[0], expected["best"])


def test_long_sequences_keep_their_precision():
    generator = np.random.default_rng(4)
    # What is added to all scores of a step changes no probability, yet sums to 600,000 here.
    emissions = (1000 + generator.normal(size=[2, 600, TAGS])).astype("float32")
    single, double = make(dtype="float32"), make()
    marginals = single.marginals(emissions)
    np.testing.assert_allclose(marginals, double.marginals(emissions), atol=2e-4)
    tags, _ = single.decode(emissions)
    np.testing.assert_array_equal(tags, double.decode(emissions)[0])
    np.testing.assert_allclose(
        single.log_likelihood(emissions, tags), double.log_likelihood(emissions, tags), rtol=1e-4
    )


@pytest.mark.parametrize(
    "policy, given, result",
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float64"),
        ("mixed_float16", "float16", "float32"),
        ("mixed_bfloat16", "bfloat16", "float32"),
        ("float16", "float16", "float32"),
    ],
)
@without_graphs
def test_precision(policy, given, result):
    layer = make(dtype=policy)
    emissions = tf.cast(random_emissions(), given)
    assert layer(emissions).dtype == given
    tags, score = layer.decode(emissions, MASK)
    likelihood, gradients = value_and_gradients(layer, emissions, tags, MASK)
    assert score.dtype == likelihood.dtype == layer.marginals(emissions).dtype == result
    assert gradients[0].dtype == given
    reference = make(dtype="float64")
    reference.set_weights([np.asarray(w, "float64") for w in layer.get_weights()])
    expected = reference.log_likelihood(tf.cast(emissions, "float64"), tags, MASK)
    np.testing.assert_allclose(likelihood, expected, atol=1e-4)


# --- Keras and export ----------------------------------------------------------------------------


def test_config_round_trip():
    layer = make(
        transition_initializer="glorot_uniform",
        transition_regularizer="l2",
        gradient="automatic",
        jit=False,
        name="tagger",
        **RULES["forbidden"],
    )
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    assert again.forbidden == ((0, 2), (1, 1)) and again.gradient == "automatic"
    assert len(layer.losses) == 1 and layer.losses[0] > 0


def test_trains_and_loads_inside_a_model(tmp_path):
    class Tagger(keras.Model):
        def train_step(self, data):
            x, tags = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self.layers[-1].loss(self(x, training=True), tags))
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)
            return {"negative_log_likelihood": loss}

    inputs = keras.Input([None, 4])
    scores = CRF(TAGS, **RULES["forbidden"])(keras.layers.Dense(TAGS)(inputs))
    model = Tagger(inputs, scores)
    x = np.random.default_rng(0).normal(size=[BATCH, TIME, 4]).astype("float32")
    tags = np.tile([0, 1, 2, 2, 1], [BATCH, 1])
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    history = model.fit(x, tags, batch_size=BATCH, epochs=40, verbose=0).history
    losses = history["negative_log_likelihood"]
    assert losses[-1] < 0.1 * losses[0]
    assert all(np.abs(w).max() > 0.1 for w in model.layers[-1].get_weights())

    plain = keras.Model(inputs, scores)
    plain.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    decoded = [m.layers[-1].decode(m(x))[0] for m in (plain, loaded)]
    np.testing.assert_array_equal(*decoded)
    np.testing.assert_array_equal(decoded[0], tags)


def test_builds_itself_inside_a_graph():
    layer = CRF(TAGS, jit=False)
    loss = tf.function(lambda emissions, tags: layer.loss(emissions, tags))
    assert loss(random_emissions(), np.ones_like(MASK, int)).shape == [BATCH]
    assert [weight.name for weight in layer.weights] == ["transitions", "start", "end"]
    assert layer.built


def test_a_call_returns_the_emissions_and_hands_the_mask_on():
    emissions = keras.layers.Masking()(np.ones([2, 4, TAGS], "float32"))
    outputs = make(dtype="float32")(emissions)
    np.testing.assert_array_equal(outputs, emissions)
    assert outputs._keras_mask.shape == (2, 4)
    assert make().compute_output_shape((None, 7, TAGS)) == (None, 7, TAGS)


class Endpoint(tf.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.variables_of_layer = layer, [w.value for w in layer.weights]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, TAGS], tf.float32),
            tf.TensorSpec([None, None], tf.bool),
        ]
    )
    def tag(self, emissions, mask):
        tags, score = self.layer.decode(emissions, mask)
        return {
            "tags": tags,
            "score": score,
            "marginals": self.layer.marginals(emissions, mask),
            "confidence": self.layer.decode_with_confidence(emissions, mask)[1],
        }


def test_exported_endpoint(tmp_path):
    layer = make(dtype="float32", **RULES["forbidden"])
    endpoint = Endpoint(layer)
    tf.saved_model.save(endpoint, tmp_path, signatures={"serving_default": endpoint.tag})
    loaded = tf.saved_model.load(tmp_path)
    emissions = tf.constant(random_emissions(dtype="float32"))
    for batch in (BATCH, 2):
        results = loaded.signatures["serving_default"](
            emissions=emissions[:batch], mask=tf.constant(MASK[:batch])
        )
        expected = endpoint.tag(emissions[:batch], MASK[:batch])
        for name, value in expected.items():
            np.testing.assert_allclose(results[name], value, atol=1e-5, err_msg=name)
    best = enumerate_paths(layer, emissions.numpy(), allowed_tags(layer), MASK)["best"]
    np.testing.assert_array_equal(expected["tags"], best[:2])
    assert not compiles(loaded.signatures["serving_default"])


def test_likelihood_in_training_under_a_distribution_strategy_is_compiled_too():
    layer = make()
    tags = allowed_tags(layer)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        function = tf.function(lambda emissions: layer.loss(emissions, tags))
        graph = function.get_concrete_function(tf.constant(random_emissions()))
    assert compiles(graph)


def test_layers_share_their_functions():
    layer, other = make(), make(seed=9)
    layer.decode(random_emissions())
    size = shared_function.cache_info().currsize
    other.decode(random_emissions())
    assert shared_function.cache_info().currsize == size


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tags": 0}, "positive integer. Received: 0"),
        ({"tags": 2.0}, "positive integer. Received: 2.0"),
        ({"tags": 3, "forbidden": [(0, 3)]}, r"forbidden: expected tags in \[0, 3\)"),
        ({"tags": 3, "forbidden": [(0, 1, 2)]}, "pairs"),
        ({"tags": 3, "forbidden_start": [-1]}, "forbidden_start: expected tags in"),
        ({"tags": 3, "forbidden_end": [5]}, "forbidden_end: expected tags in"),
        ({"tags": 3, "gradient": "none"}, "gradient: expected one of"),
        ({"tags": 3, "jit": "always"}, "jit: expected"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CRF(**arguments)


@pytest.mark.parametrize(
    "emissions, tags, mask, message",
    [
        ([2, 5, 4], [2, 5], None, r"emissions of shape \[batch, time, 3\].*\(2, 5, 4\)"),
        ([5, 3], [2, 5], None, r"emissions of shape \[batch, time, 3\].*\(5, 3\)"),
        ([2, 5, 3], [2, 4], None, r"tags of shape \[batch, time\] = \(2, 5\).*\(2, 4\)"),
        ([2, 5, 3], [2, 5, 1], None, "tags of shape"),
        ([2, 5, 3], [2, 5], [2, 4], r"a mask of shape \[batch, time\] = \(2, 5\).*\(2, 4\)"),
        ([2, 5, 3], [2, 5], [10], "a mask of shape"),
    ],
)
def test_wrong_shapes(emissions, tags, mask, message):
    with pytest.raises(ValueError, match=message):
        make().loss(
            np.zeros(emissions), np.zeros(tags, int), None if mask is None else np.ones(mask)
        )


def test_other_wrong_tensors():
    with pytest.raises(ValueError, match=r"tags as integers\. Received dtype: float64"):
        make().loss(np.zeros([2, 5, 3]), np.zeros([2, 5]))
    with pytest.raises(ValueError, match=r"emissions of shape \[batch, time, 3\]"):
        CRF(3)(np.zeros([2, 5, 4]))


# --- The n best ----------------------------------------------------------------------------------


def enumerated(layer, emissions, n):
    """The n best paths over some steps and log p of each; none of them is forbidden."""
    paths = [(score, path) for path, score in all_paths(layer, emissions) if score is not None]
    scores = np.array([score for score, _ in paths])
    log_z = np.logaddexp.reduce(scores)
    order = np.argsort(-scores, kind="stable")[:n]
    return [list(paths[i][1]) for i in order], scores[order] - log_z


@pytest.mark.parametrize("n", [1, 4, 300])
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_the_n_best_are_those_of_all_paths(mode, rules, n):
    layer, emissions = make(**RULES[rules]), random_emissions()

    def decode(emissions, mask):
        return layer.decode_n_best(emissions, n, mask)

    if mode == "graph":
        spec = [tf.TensorSpec([None, None, TAGS], tf.float64), tf.TensorSpec([None, None], tf.bool)]
        decode = tf.function(decode, input_signature=spec, autograph=False)
    tags, log_p, count = (x.numpy() for x in decode(tf.constant(emissions), tf.constant(MASK)))
    assert tags.shape == (len(MASK), n, MASK.shape[1]) and log_p.shape == (len(MASK), n)
    for row, real in enumerate(MASK):
        paths, expected = enumerated(layer, emissions[row, real], n)
        assert count[row] == len(paths)
        assert tags[row, : len(paths), real].T.tolist() == paths
        np.testing.assert_allclose(log_p[row, : len(paths)], expected, atol=1e-9)
        assert not tags[row][:, ~real].any() and not tags[row, len(paths) :].any()
        assert np.isneginf(log_p[row, len(paths) :]).all()


def test_the_first_is_that_of_viterbi_in_float32_and_over_many_steps():
    layer = make(dtype="float32", forbidden=[(0, 1)])
    emissions = np.random.default_rng(3).normal(size=[2, 400, TAGS]).astype(np.float32)
    tags, log_p, _ = layer.decode_n_best(emissions, 3)
    best, _ = layer.decode(emissions)
    np.testing.assert_array_equal(tags[:, 0], best)
    np.testing.assert_allclose(log_p[:, 0], layer.log_likelihood(emissions, best), rtol=1e-5)
    assert np.all(np.diff(log_p, axis=1) <= 1e-3)
    assert len({tuple(path) for path in tags[0].numpy()}) == 3


def test_where_all_is_forbidden_the_least_bad_is_left():
    layer = CRF(2, forbidden=[(0, 0), (0, 1), (1, 0), (1, 1)])
    tags, _, count = layer.decode_n_best(tf.constant([[[1.0, 0.0], [0.0, 3.0]]]), 4)
    assert tags[0, 0].numpy().tolist() == [0, 1] and count[0] >= 1


def test_no_rows_no_steps_and_what_is_no_number():
    layer = make()
    for shape in ([0, 4, TAGS], [2, 0, TAGS]):
        tags, log_p, count = layer.decode_n_best(tf.zeros(shape, tf.float64), 2)
        assert tags.shape == (shape[0], 2, shape[1]) and log_p.shape == (shape[0], 2)
        assert count.numpy().tolist() == [1] * shape[0]
    with pytest.raises(ValueError, match=r"n: expected a positive integer. Received: 0"):
        layer.decode_n_best(random_emissions(), 0)
