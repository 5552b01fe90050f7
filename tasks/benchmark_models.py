r"""Speed of whole models against the same models of stock Keras layers, and of their SavedModels.

    python -m tasks.benchmark_models --preset=wikiann --output=docs/benchmark_models.json
    python -m tasks.benchmark_models --task=sentiment --preset=imdb

The flags of the task say which model, on which corpus. Both models train on the same batches in
turn. Stock Keras runs without XLA: Keras itself does so for models with its recurrent layers. The
file collects one entry for each recipe.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import keras
import tensorflow as tf
from absl import app, logging
from absl import flags as absl_flags

from tasks import results
from tasks.data import corpora
from tasks.framework import flags
from tasks.framework import task as program
from tasks.framework.machine import machine
from tasks.language import generating as generation
from tasks.lm import Language
from tasks.ner import NamedEntities
from tasks.pos import PartsOfSpeech
from tasks.sentiment import Sentiment
from zoo import files
from zoo.catalog import cards, speed
from zoo.catalog.entries import PRESETS
from zoo.text import tokens

TASKS = {"ner": NamedEntities, "pos": PartsOfSpeech, "sentiment": Sentiment, "lm": Language}
# Tokens of each text that is drawn to measure sampling.
_DRAWN = 1000

_TASK = absl_flags.DEFINE_enum("task", "ner", list(TASKS), "Whose models.")
_BATCHES = absl_flags.DEFINE_integer("batches", 60, "Training batches of each turn.", lower_bound=1)
_TURNS = absl_flags.DEFINE_integer("turns", 5, "Turns of each model.", lower_bound=1)
_OUTPUT = absl_flags.DEFINE_string("output", "benchmark_models.json", "File for all figures.")


class StockStack(keras.layers.Layer):
    """`layers.Stack` of Keras' own layers."""

    def __init__(
        self,
        cell: str,
        units: int,
        depth: int = 1,
        bidirectional: bool = False,
        return_sequences: bool = True,
        return_state: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        layer: dict | None = None,
    ):
        super().__init__()
        self.supports_masking = True
        makers = {
            "rnn": keras.layers.SimpleRNN,
            "gru": lambda *a, **k: keras.layers.GRU(*a, **k, reset_after=False),
            "gru_reset_after": keras.layers.GRU,
            "lstm": keras.layers.LSTM,
        }
        self.dropout = keras.layers.Dropout(dropout)
        self.layers = []
        for level in range(depth):
            sequences = return_sequences or level < depth - 1
            one = makers[cell](
                units,
                return_sequences=sequences,
                return_state=return_state,
                recurrent_dropout=recurrent_dropout,
            )
            self.layers.append(keras.layers.Bidirectional(one) if bidirectional else one)

    def get_initial_state(self, batch_size):
        """Of the one layer of a language model's stack."""
        return self.layers[0].get_initial_state(batch_size)

    def call(self, x, initial_state=None, mask=None, training=False):
        if initial_state is not None:
            return self.layers[0](x, initial_state=initial_state, mask=mask, training=training)
        for level, layer in enumerate(self.layers):
            if level:
                x = self.dropout(x, training=training)
            x = layer(x, mask=mask, training=training)
        return x


def training_speed(trainer: program.Trainer, batches: list) -> dict[str, float]:
    """Sentences trained in a second, the median turn of each model."""
    field: dict[str, Callable] = {}
    for name, changes in (
        ("ours", {}),
        ("keras", {"make_stack": StockStack}),
    ):
        field[name] = trainer.build(**changes).train_on_batch

    def turn(step):
        start = time.perf_counter()
        for inputs, answers in batches:
            step(inputs, answers)
        return len(batches) * flags.BATCH_SIZE.value / (time.perf_counter() - start)

    for name, step in field.items():
        print(f"{name}: compiles", flush=True)
        turn(step)
    speeds: dict[str, list] = {name: [] for name in field}
    for _ in range(_TURNS.value):
        for name, step in field.items():
            speeds[name].append(turn(step))
    return {name: statistics.median(values) for name, values in speeds.items()}


def serving_speed(served: program.Served, examples: list) -> dict[str, float]:
    """Examples answered in a second by the SavedModel, by the size of batches, the median turn;
    not of fewer examples than a batch has, such as one long text."""
    examples = sorted(examples, key=lambda example: len(corpora.text_of(example)))
    speeds = {}
    for size in (64, 256):
        if size > len(examples):
            continue
        times = []
        for _ in range(_TURNS.value + 1):
            start = time.perf_counter()
            for batch in program.batched(examples, size):
                served.evaluate(batch)
            times.append(time.perf_counter() - start)
        speeds[str(size)] = len(examples) / statistics.median(times[1:])
    return speeds


def language_speed(trainer: program.Trainer, batches: list, folder: str) -> dict:
    """The share of a training step that the softmax takes, and tokens drawn in a second."""
    model = trainer.build()
    variables = [v.value for v in model.trainable_variables]

    @tf.function(autograph=False)
    def step(inputs, whole):
        with tf.GradientTape() as tape:
            a = model(inputs, training=True)
            loss = model.compute_loss(x=inputs, y_pred=a) if whole else tf.reduce_mean(a)
        return [tf.reduce_sum(g) for g in tape.gradient(loss, variables) if g is not None]

    times: dict[bool, list] = {True: [], False: []}
    for _ in range(_TURNS.value + 1):
        for whole, found in times.items():
            start = time.perf_counter()
            for inputs, _ in batches:
                float(step(inputs, whole)[0])
            found.append(time.perf_counter() - start)
    with_softmax, without = (statistics.median(found[1:]) for found in times.values())

    # So that texts do not end, which in an untrained model they would do after a few tokens.
    bias = model.b.numpy()
    bias[tokens.END] = -1e4
    model.b.assign(bias)
    generate = tf.saved_model.load(trainer.save(model, folder)).signatures["generate"]
    drawn = {}
    for count in (1, 64):
        request = generation.request([""] * count, max_length=_DRAWN)
        speeds = []
        for turn in range(_TURNS.value + 1):
            request["seed"] += count
            start = time.perf_counter()
            generate(**request)["text"].numpy()
            if turn:
                speeds.append(count * _DRAWN / (time.perf_counter() - start))
        drawn[str(count)] = statistics.median(speeds)
    return {"softmax_share": 1 - without / with_softmax, "drawn_per_second": drawn}


def typical_text(examples: list) -> str:
    """The text of an example of average length, in words; of running text, a line of it."""
    lines = [line for example in examples for line in corpora.text_of(example).splitlines()]
    lines = [line for line in lines if line.strip()]
    mean = statistics.mean(len(line.split()) for line in lines)
    return min(lines, key=lambda line: abs(len(line.split()) - mean))


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    logging.set_verbosity(logging.WARNING)
    task = TASKS[_TASK.value]()
    flags.apply_defaults(task.defaults)
    flags.apply_preset(PRESETS[task.name])
    corpus = program.load(task, ["train", "validation"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = task.trainer(corpus, folder)
        dataset, _ = trainer.epoch(0)
        batches = list(dataset.take(_BATCHES.value))
        trained = training_speed(trainer, batches)
        version = trainer.save(trainer.build(), os.path.join(folder, "saved"))
        served = serving_speed(task.served(version), corpus["validation"])
        one = speed.measure(version, [typical_text(corpus["validation"])], cores=1)["1"]
        of_language = language_speed(trainer, batches, folder) if task.name == "lm" else {}
    entry = {
        "task": task.name,
        "command": cards.portable(program.command()),
        "config": cards.without_folders(flags.recipe(*task.own_flags)),
        "machine": machine(),
        "trained_per_second": trained,
        "times_keras": trained["ours"] / trained["keras"],
        "served_per_second": served,
        "one_text_ms": one["median_ms"],
        "one_text_p99_ms": one["p99_ms"],
        **of_language,
    }
    found = []
    if os.path.exists(_OUTPUT.value):
        with open(_OUTPUT.value, encoding="utf-8") as file:
            found = json.load(file)
    files.write_json(_OUTPUT.value, results.merged(found, [entry]))
    for name in ("trained_per_second", "served_per_second"):
        print(f"{name}:", ", ".join(f"{key} {value:.0f}" for key, value in entry[name].items()))
    for name, value in of_language.items():
        print(f"{name}: {value}")
    print(f"one text on one core: {one['median_ms']:.2f} ms")
    print(f"times Keras: {entry['times_keras']:.2f}\nAll figures: {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
