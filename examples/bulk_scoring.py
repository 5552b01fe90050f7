"""Asks a model about every line of a text file, and writes a line of JSON for each.

python examples/bulk_scoring.py --model=sentiment_demo --input=texts.txt --output=scores.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from finding import newest


def answers(model, batches: tf.data.Dataset) -> Iterator[list[dict]]:
    """For each batch of texts, a dict for each text: itself, and what the model says of it."""
    for texts in batches:
        columns = {"text": texts, **model.signatures["serving_default"](text=texts)}
        columns = {name: value.numpy() for name, value in columns.items()}
        lengths = columns.get("lengths")
        # What a tagger says of each word is padded to the longest text of the batch.
        yield [
            {
                name: value[row]
                if lengths is None or value.ndim == 1
                else value[row, : lengths[row]]
                for name, value in columns.items()
            }
            for row in range(len(texts))
        ]


def without_mark(line: tf.Tensor) -> tf.Tensor:
    """A line without the byte-order mark that some editors put before the first one."""
    return tf.strings.regex_replace(line, "^\ufeff", "")


def readable(value: bytes | np.ndarray | np.generic) -> object:
    """Texts, arrays and their numbers as JSON has them."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="sentiment_demo", help="folder, or name of a model")
    parser.add_argument("--input", required=True, help="a text a line, in UTF-8")
    parser.add_argument("--output", required=True, help="JSON lines, in the order of the input")
    parser.add_argument("--batch_size", type=int, default=64)
    given = parser.parse_args()

    model = tf.saved_model.load(newest(given.model))
    # Reads ahead while the model computes.
    lines = tf.data.TextLineDataset(given.input).map(without_mark)
    batches = lines.batch(given.batch_size).prefetch(tf.data.AUTOTUNE)
    with open(given.input, "rb") as file:
        total = sum(1 for _ in file)
    progress = keras.utils.Progbar(total, unit_name="line") if sys.stdout.isatty() else None
    count, temporary = 0, f"{given.output}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            for rows in answers(model, batches):
                for row in rows:
                    file.write(json.dumps(row, ensure_ascii=False, default=readable) + "\n")
                count += len(rows)
                if progress:
                    progress.update(count)
        # The output is whole, or as it was.
        os.replace(temporary, given.output)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    print(f"{given.output}: {count} lines")


if __name__ == "__main__":
    main()
