"""Trains a head of one's own on a classifier of the zoo that stays as it is.

python examples/frozen_layer.py --model=sentiment_demo

The SavedModel is a layer of a functional model that takes strings, so that what is trained is
again one model from raw text to an answer. `model.export(folder)` writes all of it; `model.save`
writes but the path of the SavedModel, and loads with `safe_mode=False`.

For long trainings, compute the layer's answers once, as they never change:
`data.map(lambda text, label: (layer(text), label)).cache()`, and fit the head on them.
"""

from __future__ import annotations

import argparse
import math

import keras
import tensorflow as tf
from finding import newest

# Whether one would see the film again, which is not what the classifier was asked.
TEXTS = {
    "a wonderful film , really": 1,
    "moving , funny and very well acted": 1,
    "I loved every minute of it": 1,
    "a great story with a strong cast": 1,
    "it was fine , once is enough": 0,
    "dreadful plot and wooden acting": 0,
    "the worst film I have seen": 0,
    "dull , long and boring": 0,
}


def build(folder: str) -> keras.Model:
    """raw text → probabilities of the classifier → Dense."""
    frozen = keras.layers.TFSMLayer(folder, call_endpoint="serving_default", trainable=False)
    text = keras.Input([], dtype="string", name="text")
    answers = frozen(text)
    if "probabilities" not in answers:
        raise SystemExit(f"{folder}: expected a classifier. Received: answers {sorted(answers)}")
    # SavedModels of the zoo hold no gradients of their layers: the way back has to end here.
    probabilities = keras.ops.stop_gradient(answers["probabilities"])
    # A linear layer has more to work with on logarithms.
    x = keras.ops.log(keras.ops.maximum(probabilities, 1e-6))
    model = keras.Model(text, keras.layers.Dense(1, activation="sigmoid", name="head")(x))
    # XLA knows no strings.
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", jit_compile=False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="sentiment_demo", help="folder, or name of a classifier")
    parser.add_argument("--epochs", type=int, default=21, help="of one step each")
    given = parser.parse_args()

    keras.utils.set_random_seed(1)
    model = build(newest(given.model))
    texts = tf.constant(list(TEXTS))
    labels = tf.constant(list(TEXTS.values()))[:, None]
    print(f"{sum(math.prod(w.shape) for w in model.trainable_weights)} weights are trained")
    trained = model.fit(texts, labels, epochs=given.epochs, shuffle=False, verbose=0)
    for epoch, loss in enumerate(trained.history["loss"]):
        if epoch % 5 == 0 or epoch == given.epochs - 1:
            print(f"step {epoch}: loss {loss:.4f}")
    for text, value in zip(TEXTS, model.predict(texts, verbose=0)[:, 0], strict=True):
        print(f"{value:.2f}  {text}")


if __name__ == "__main__":
    main()
