"""`--mode=generate`: text drawn from a language model, shown while it is drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from tasks.data.inputs import Input
from tasks.framework.configuration import TaskConfig
from tasks.framework.modes import needed_model
from tasks.framework.task import Task
from tasks.framework.text_io import check_output, not_too_long, write_output
from tasks.language.configuration import LanguageRun
from zoo.catalog.loading import Model
from zoo.decoding.drawing import BLOCK, block_of_uniforms
from zoo.text import tokens

# Tokens between two looks at the terminal.
_AT_ONCE = 16


def request(
    prompts: Sequence[str], max_length: int = 200, seed: int = 0, run: LanguageRun | None = None
) -> dict[str, tf.Tensor]:
    """Inputs of the signature `generate`, one row for each prompt.

    Args:
        prompts: beginnings to go on from.
        max_length: most tokens to draw for each.
        seed: of the first prompt; the next ones have the next seeds, and after the largest int32
            comes 0.
        run: temperature, top_k and top_p, by default those of the flags.
    """
    count, run = len(prompts), run or LanguageRun()
    return {
        "prompt": tf.constant(list(prompts), tf.string),
        "max_length": tf.fill([count], max_length),
        "temperature": tf.fill([count], run.temperature),
        "top_k": tf.fill([count], run.top_k),
        "top_p": tf.fill([count], run.top_p),
        "seed": tf.constant([(seed + number) % 2**31 for number in range(count)], tf.int32),
    }


def stream(
    model: Model, prompt: str, max_length: int, seed: int, run: LanguageRun
) -> Iterator[str]:
    """A prompt and what is drawn for it, piece by piece; together, what `generate` returns.

    The token that was drawn last is held back: how words are joined depends on the next one.
    """
    drawing, given = model.saved, tf.constant([prompt], tf.string)

    def text(ids: np.ndarray) -> str:
        return drawing.write(given, tf.constant(ids)).numpy()[0].decode("utf-8", "replace")

    ids = np.zeros([1, 0], np.int32)
    shown = text(ids)
    yield shown
    a, states = drawing.read(given)
    inputs = request([prompt], max_length, seed, run)
    while ids.shape[1] < max_length and not np.any(ids == tokens.END):
        done = ids.shape[1]
        block, start = divmod(done, BLOCK)
        if not start:
            uniform = block_of_uniforms(inputs["seed"], tf.constant(block))
        count = min(_AT_ONCE, max_length - done)
        more, _, a, states = drawing.draw(
            a, states, tf.constant([count]), inputs["temperature"], inputs["top_k"],
            inputs["top_p"], uniform[:, start:], tf.constant(run.allow_unk),
        )  # fmt: skip
        ids = np.concatenate([ids, more.numpy()], axis=1)
        certain = text(ids[:, :-1])
        yield certain[len(shown) :]
        shown = certain
    yield text(ids)[len(shown) :]


def generate_mode(task: Task, config: TaskConfig, run: LanguageRun) -> None:
    """Draws texts, prints them as they grow, and writes them into a file.

    It is plain text, a text behind the other and each with a line end, or JSON lines with `prompt`,
    `seed` and `text`.
    """
    ending = os.path.splitext(run.output_file or "terminal.txt")[1].lower()
    if ending not in (".txt", ".jsonl"):
        raise UserError(
            "--output_file: expected a name that ends in .txt or .jsonl, which --mode=generate "
            f"writes. Received: {run.output_file!r}"
        )
    check_output(run.output_file)
    prompts = [given.text for given in not_too_long(map(Input, run.prompt or [""]), run)]
    model = needed_model(task, run)
    samples: list[dict[str, Any]] = []
    for prompt in prompts:
        for number in range(run.num_samples):
            pieces, seed = [], config.training.seed + number
            for piece in stream(model, prompt, config.data.max_length, seed, run):
                pieces.append(piece)
                print(piece, end="", flush=True)
            print(flush=True)
            samples.append({"prompt": prompt, "seed": seed, "text": "".join(pieces)})
    if run.output_file:
        lines = (
            one["text"] if ending == ".txt" else json.dumps(one, ensure_ascii=False)
            for one in samples
        )
        write_output(run.output_file, (line + "\n" for line in lines))
