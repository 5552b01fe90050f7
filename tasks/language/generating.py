"""`--mode=generate`: text drawn from a language model, shown while it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import flags as absl_flags

from tasks.framework import flags
from tasks.framework import task as program
from zoo.decoding import sampling
from zoo.text import tokens

PROMPT = absl_flags.DEFINE_multi_string(
    "prompt", [], "Beginning to go on from; may be repeated. Default: the empty text."
)
TEMPERATURE = absl_flags.DEFINE_float(
    "temperature",
    1.0,
    "Below 1, likely tokens become likelier; 0: the likeliest (greedy); inf: all equally likely.",
)
TOP_K = absl_flags.DEFINE_integer("top_k", 0, "Draw from the k likeliest tokens; 0: from all.")
TOP_P = absl_flags.DEFINE_float(
    "top_p", 1.0, "Draw from the likeliest tokens that have this probability together; 1: from all."
)
NUM_SAMPLES = absl_flags.DEFINE_integer("num_samples", 1, "Texts for each prompt.", lower_bound=1)
ALLOW_UNK = absl_flags.DEFINE_bool("allow_unk", False, "Keep a drawn <UNK>, or draw again.")

# Tokens between two looks at the terminal.
_AT_ONCE = 16


def request(prompts: Sequence[str], max_length: int = 200, seed: int = 0) -> dict[str, tf.Tensor]:
    """Inputs of the signature `generate`, one row for each prompt, by the flags' values."""
    count = len(prompts)
    return {
        "prompt": tf.constant(list(prompts), tf.string),
        "max_length": tf.fill([count], max_length),
        "temperature": tf.fill([count], TEMPERATURE.value),
        "top_k": tf.fill([count], TOP_K.value),
        "top_p": tf.fill([count], TOP_P.value),
        "seed": tf.range(seed, seed + count),
    }


def check_flags() -> None:
    for name, fine, expected in (
        ("temperature", TEMPERATURE.value >= 0, "0 or more"),
        ("top_k", TOP_K.value >= 0, "0 or more"),
        ("top_p", 0 < TOP_P.value <= 1, "a probability above 0 and at most 1"),
    ):
        if not fine:
            received = absl_flags.FLAGS[name].value
            raise flags.UserError(f"--{name}: expected {expected}. Received: {received}")


def stream(model, prompt: str, max_length: int, seed: int) -> Iterator[str]:
    """What is drawn for a prompt, piece by piece; together, what `generate` returns."""
    a, states = model.read(tf.constant([prompt], tf.string))
    inputs = request([prompt], max_length, seed)
    numbers = sampling.uniforms(inputs["seed"], tf.constant(max_length))
    ids = np.zeros([1, 0], np.int32)
    shown = ""
    while ids.shape[1] < max_length and not np.any(ids == tokens.END):
        done = ids.shape[1]
        count = min(_AT_ONCE, max_length - done)
        more, _, a, states = model.draw(
            a, states, tf.constant([count]), inputs["temperature"], inputs["top_k"],
            inputs["top_p"], numbers[:, done:], tf.constant(ALLOW_UNK.value),
        )  # fmt: skip
        ids = np.concatenate([ids, more.numpy()], axis=1)
        written = model.write(tf.constant([prompt], tf.string), tf.constant(ids)).numpy()[0]
        whole = written.decode("utf-8", "replace")
        yield whole[len(shown) :] if whole.startswith(shown) else ""
        shown = whole


def generate_mode(task: program.Task) -> None:
    check_flags()
    served = task.served(program.needed_model())
    prompts = PROMPT.value or [""]
    samples = []
    for prompt in prompts:
        for number in range(NUM_SAMPLES.value):
            text = ""
            for piece in stream(
                served.model, prompt, flags.MAX_LENGTH.value, flags.SEED.value + number
            ):
                text += piece
                print(piece, end="", flush=True)
            print(flush=True)
            samples.append(text)
    if flags.OUTPUT_FILE.value:
        program.write_output(flags.OUTPUT_FILE.value, (sample + "\n" for sample in samples))
