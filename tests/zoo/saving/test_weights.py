"""Weights that are stored with fewer bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.saving.weights import StoredWeights


@pytest.mark.parametrize(("kind", "error"), [("float16", 2e-3), ("int8", 2e-2), ("float32", 0)])
def test_stored_weights_are_read_as_they_were_but_for_rounding(tmp_path, kind, error):
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(300)])
    model.layers[0].bias.assign(np.random.default_rng(0).normal(size=300))
    module = tf.Module()
    module.weights = StoredWeights(model, kind)

    def answer(x):
        with module.weights.reading():
            return {"y": model(x)}

    spec = tf.TensorSpec([None, 4], name="x")
    module.answer = tf.function(answer, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"answer": module.answer})
    x = tf.constant(np.random.default_rng(1).normal(size=[3, 4]), tf.float32)
    found = tf.saved_model.load(str(tmp_path / "m")).signatures["answer"](x=x)["y"]
    np.testing.assert_allclose(found, model(x), atol=error * 5)
    sizes = {"float16": 2 * (4 * 300 + 300), "int8": 4 * 300 + 4 * 4 + 2 * 300}
    if kind in sizes:
        stored = sum(p.stat().st_size for p in (tmp_path / "m" / "assets").iterdir())
        assert stored == sizes[kind]


def test_a_kind_of_storage_that_there_is_not():
    with pytest.raises(ValueError, match="Received: 'int4'"):
        StoredWeights(keras.Sequential(), "int4")
