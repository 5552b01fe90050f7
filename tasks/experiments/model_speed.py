"""Speed of whole models beside the same models of stock Keras layers, and of their SavedModels."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.sampled_softmax import summed_sampled_cross_entropy
from tasks.framework import fitting
from tasks.framework.configuration import TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task, Trainer, load_model
from tasks.framework.text_io import batched
from tasks.framework.training import load
from tasks.language import generating
from zoo.catalog import speed
from zoo.models import language_model
from zoo.predictor import Predictor
from zoo.text import tokens

# Tokens of each text that is drawn to measure sampling.
_DRAWN = 1000


def measure(task: Task, config: TaskConfig, batches: int, turns: int) -> dict:
    """Trains both models on the same batches in turn, and asks the SavedModel.

    Args:
        task: whose models.
        config: the recipe.
        batches: training batches of each turn.
        turns: of each model.

    Returns:
        Texts trained and answered in a second, by contestant and by size of batch, and the
        milliseconds of one text; of language models, also what the softmax and drawing take.
    """
    corpus = load(task, config, ["train", "validation"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = task.trainer(corpus, config, folder)
        some = list(trainer.epoch(0).dataset().take(batches))
        trained = training_speed(trainer, some, turns)
        version = trainer.save(trainer.build(), os.path.join(folder, "saved"))
        examples = corpus["validation"]
        model = load_model(task, Path(version))
        served = serving_speed(task, model, examples, turns)
        text = typical_text([task.text(example) for example in examples])
        one = speed.measure(version, [text], cores=1)["1"]
        further = {}
        if task.name == "lm":
            further = language_speed(trainer, some, folder, turns)
        elif task.name == "translate":
            further = translation_speed(model, examples, some, trained["ours"], turns)
            greedy = speed.measure(version, [text], cores=1, signature="greedy")["1"]
            further["one_text_greedy_ms"] = greedy.median_ms
    return {
        "task": task.name,
        "config": config.as_dict(recipe_only=True),
        "machine": machine(),
        "trained_per_second": trained,
        "times_keras": trained["ours"] / trained["keras"],
        "served_per_second": served,
        "one_text_ms": one.median_ms,
        "one_text_p99_ms": one.p99_ms,
        **further,
    }


class StockAttention(keras.layers.Layer):
    """`layers.Attention` of Keras' own layers."""

    def __init__(self, score: str, dtype: Any = None):
        super().__init__(dtype=dtype)
        self.score = score
        self.query_map: keras.layers.Dense | None = None
        self.key_map: keras.layers.Dense | None = None
        kind = keras.layers.AdditiveAttention if score == "additive" else keras.layers.Attention
        self.attention = kind(dtype=dtype)

    def build(self, queries_shape: Sequence[int | None], keys_shape: Sequence[int | None]) -> None:
        width = queries_shape[-1]
        if self.score != "dot":
            self.key_map = keras.layers.Dense(width, use_bias=False)
            self.key_map.build(keys_shape)
        if self.score == "additive":
            self.query_map = keras.layers.Dense(width, use_bias=False)
            self.query_map.build(queries_shape)
        self.attention.build([queries_shape, (None, None, width), (None, None, width)])

    def project(self, keys: tf.Tensor) -> tf.Tensor:
        return keys if self.key_map is None else self.key_map(keys)

    def attend(
        self, queries: tf.Tensor, memory: tf.Tensor, values: tf.Tensor, keys_mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        asked = queries if self.query_map is None else self.query_map(queries)
        return self.attention(
            [asked, values, memory], mask=[None, keys_mask], return_attention_scores=True
        )


class StockStack(keras.layers.Layer):
    """`layers.Stack` of Keras' own layers."""

    make_attention = StockAttention

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
        dtype: Any = None,
    ):
        del layer  # how ours compile themselves
        super().__init__(dtype=dtype)
        self.supports_masking = True
        makers = {
            "rnn": keras.layers.SimpleRNN,
            "gru": lambda *a, **k: keras.layers.GRU(*a, **k, reset_after=False),
            "gru_reset_after": keras.layers.GRU,
            "lstm": keras.layers.LSTM,
        }
        self.dropout = keras.layers.Dropout(dropout)
        self.width = units * (2 if bidirectional else 1)
        self.states_per_layer = 2 if cell == "lstm" else 1
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

    def build(self, input_shape: Sequence[int | None]) -> None:
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], self.width)

    def get_initial_state(self, batch_size: int) -> list[tf.Tensor]:
        """Of the one layer of a language model's stack."""
        return self.layers[0].get_initial_state(batch_size)

    def call(
        self,
        x: tf.Tensor,
        initial_state: list[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> Any:
        if initial_state is not None:
            return self.layers[0](x, initial_state=initial_state, mask=mask, training=training)
        for level, layer in enumerate(self.layers):
            if level:
                x = self.dropout(x, training=training)
            x = layer(x, mask=mask, training=training)
        return x


def training_speed(trainer: Trainer, batches: list, turns: int) -> dict[str, float]:
    """Sentences trained in a second, the median turn of each model.

    Of Keras and TensorFlow are the recurrent layers, the sampled softmax and the optimizer.
    """
    training = trainer.config.training
    field: dict[str, Callable] = {}
    for name, make_stack in (("ours", layers.Stack), ("keras", StockStack)):
        model = trainer.build(make_stack)
        if name == "keras":
            model.compile(fitting.make_optimizer(training, one_kernel=False), jit_compile=False)
        field[name] = model.train_on_batch

    def turn(step: Callable) -> float:
        start = time.perf_counter()
        for inputs, answers in batches:
            step(inputs, answers)
        return len(batches) * training.batch_size / (time.perf_counter() - start)

    for name, step in field.items():
        print(f"{name}: compiles", flush=True)
        softmax = stock_softmax if name == "keras" else summed_sampled_cross_entropy
        with mock.patch.object(language_model, "summed_sampled_cross_entropy", softmax):
            turn(step)
    speeds: dict[str, list] = {name: [] for name in field}
    for _ in range(turns):
        for name, step in field.items():
            speeds[name].append(turn(step))
    return {name: statistics.median(values) for name, values in speeds.items()}


def stock_softmax(
    a: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    drawn: tf.Tensor,
    products: tf.DType | str | None = None,
) -> tf.Tensor:
    """`layers.sampled_softmax` by TensorFlow's own, which draws itself, and multiplies as it is
    given its arguments."""
    del products
    labels = tf.cast(targets[:, None], tf.int64)
    losses = tf.nn.sampled_softmax_loss(w, b, labels, a, drawn.shape[0], w.shape[0])
    return tf.tensordot(losses, weights, 1)


def serving_speed(task: Task, model: Predictor, examples: list, turns: int) -> dict[str, float]:
    """Examples answered in a second by the SavedModel, by the size of batches, the median turn;
    not of fewer examples than a batch has, such as one long text."""
    examples = sorted(examples, key=task.length)
    speeds = {}
    for size in (64, 256):
        if size > len(examples):
            continue
        times = []
        for _ in range(turns + 1):
            start = time.perf_counter()
            for batch in batched(examples, size):
                task.predict_examples(model, batch)
            times.append(time.perf_counter() - start)
        speeds[str(size)] = len(examples) / statistics.median(times[1:])
    return speeds


def language_speed(trainer: Trainer, batches: list, folder: str, turns: int) -> dict:
    """The share of a training step that the softmax takes, and tokens drawn in a second."""
    model = trainer.build()
    variables = [v.value for v in model.trainable_variables]

    @tf.function(autograph=False)
    def step(inputs: dict[str, tf.Tensor], whole: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            a = model(inputs, training=True)
            loss = model.compute_loss(x=inputs, y_pred=a) if whole else tf.reduce_mean(a)
        return [tf.reduce_sum(g) for g in tape.gradient(loss, variables) if g is not None]

    times: dict[bool, list] = {True: [], False: []}
    for _ in range(turns + 1):
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
        request = generating.request([""] * count, max_length=_DRAWN)
        speeds = []
        for turn in range(turns + 1):
            request["seed"] += count
            start = time.perf_counter()
            generate(**request)["text"].numpy()
            if turn:
                speeds.append(count * _DRAWN / (time.perf_counter() - start))
        drawn[str(count)] = statistics.median(speeds)
    return {"softmax_share": 1 - without / with_softmax, "drawn_per_second": drawn}


def translation_speed(
    model: Predictor, examples: list, batches: list, trained: float, turns: int
) -> dict:
    """Tokens trained, and sentences translated greedily in batches of 64, in a second."""
    sentences = sum(len(inputs["targets"]) for inputs, _ in batches)
    written = sum(np.count_nonzero(inputs["targets"]) for inputs, _ in batches)
    texts = sorted((pair.source for pair in examples), key=len)
    times = []
    for _ in range(turns + 1):
        start = time.perf_counter()
        for group in batched(texts, 64):
            model.ask("greedy", group)
        times.append(time.perf_counter() - start)
    return {
        "target_tokens_trained_per_second": trained * written / sentences,
        "greedy_per_second": len(texts) / statistics.median(times[1:]),
    }


def typical_text(texts: list[str]) -> str:
    """The text of average length, in words; of running text, a line of it."""
    lines = [line for text in texts for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    mean = statistics.mean(len(line.split()) for line in lines)
    return min(lines, key=lambda line: abs(len(line.split()) - mean))
