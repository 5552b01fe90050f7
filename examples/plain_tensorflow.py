"""Asks a model with TensorFlow alone: nothing of this project is imported.

python examples/plain_tensorflow.py --model=ner_demo "Teddy Roosevelt smiled."
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tensorflow as tf

SAVED_MODELS = Path(__file__).parent.parent / "saved_models"


def newest(model: str) -> str:
    """The SavedModel that is meant: a folder, its newest version, or a name in `saved_models/`."""
    for folder in (Path(model), SAVED_MODELS / model):
        versions = [int(p.parent.name) for p in folder.glob("*/saved_model.pb")]
        if versions or (folder / "saved_model.pb").exists():
            return str(folder / str(max(versions)) if versions else folder)
    raise SystemExit(f"expected a SavedModel, or a name in {SAVED_MODELS}. Received: {model}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="sentiment_demo", help="folder, or name of a model")
    parser.add_argument("texts", nargs="*", default=["a wonderful film", "a dull plot"])
    given = parser.parse_args()

    # Keep what is loaded: a signature alone does not hold its variables.
    model = tf.saved_model.load(newest(given.model))
    answers = model.signatures["serving_default"](text=tf.constant(given.texts))
    for row, text in enumerate(given.texts):
        print(text)
        for name, values in answers.items():
            print(f"  {name}: {values[row].numpy()}")


if __name__ == "__main__":
    main()
