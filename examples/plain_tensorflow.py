"""Asks a model with TensorFlow alone: nothing of this project is imported.

python examples/plain_tensorflow.py --model=ner_demo "Teddy Roosevelt smiled."
"""

from __future__ import annotations

import argparse
import os

import tensorflow as tf
from finding import newest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="sentiment_demo", help="folder, or name of a model")
    parser.add_argument("texts", nargs="*", default=["a wonderful film", "a dull plot"])
    given = parser.parse_args()

    # Keep what is loaded: a signature alone does not hold its variables.
    model = tf.saved_model.load(newest(given.model))
    # Arguments need not be UTF-8; texts must.
    texts = [os.fsencode(text).decode("utf-8", "replace") for text in given.texts]
    answers = model.signatures["serving_default"](text=tf.constant(texts))
    for row, text in enumerate(texts):
        print(text)
        for name, values in answers.items():
            print(f"  {name}: {values[row].numpy()}")


if __name__ == "__main__":
    main()
