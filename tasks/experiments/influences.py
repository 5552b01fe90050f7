"""Which words matter for what a model says of a word: gradients by word.

    influence of word j on decision i = ‖∂s<i>/∂x<j>‖

x<j> is what the recurrent part reads of the word, and s<i> what was decided: the score of the tag
that a tagger gives word i, the score of the class of a text, log P of token i of a language model
or of a translation. Of a network of one direction, no word influences what was said before it.

Source: Karpathy, Johnson and Fei-Fei 2015; Madsen 2019, "Visualizing memorization in RNNs".
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.experiments.words import check_words

# So many decisions are differentiated at once.
_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Influences:
    """What each word of a text does to each decision.

    Attributes:
        words: of the text, as the model reads them; of a translator, then those that it wrote.
        decisions: what was said: the tag or the probability of a word, or the label of the text.
        values: `[decisions, words]`, ‖∂s<i>/∂x<j>‖.
        whole: whether the decision is about the whole text, and not each about a word: of a
            translator about those that it wrote, the last ones.
    """

    words: list[str]
    decisions: list[str]
    values: np.ndarray
    whole: bool = False

    @property
    def decided(self) -> list[str]:
        """The word that each decision is about; none for one about the whole text."""
        return [] if self.whole else self.words[-len(self.decisions) :]

    def shares(self) -> np.ndarray:
        """`values` by the largest of each row; a row of zeros stays one."""
        largest = np.max(self.values, axis=1, keepdims=True, initial=0)
        return np.divide(self.values, largest, out=np.zeros_like(self.values), where=largest > 0)


Inputs = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Reader:
    """A model, and how it is asked.

    Attributes:
        layers: what reads the words, `[batch, time, features]`, and by how many steps each word is
            read later than it is decided about; of a translator, what reads those that it wrote
            comes second.
        read: from a text that is not blank to the words that each of them reads, and to the inputs
            of the model, a batch of one.
        decide: from the inputs, rows of them, to scores of decisions `[batch, decisions]`.
        say: what was decided, from the inputs, a batch of one.
        whole: see `Influences`.
    """

    layers: Sequence[tuple[keras.layers.Layer, int]]
    read: Callable[[str], tuple[list[list[str]], Inputs]]
    decide: Callable[[Inputs], tf.Tensor]
    say: Callable[[Inputs], list[str]]
    whole: bool = False

    def __call__(self, one: str) -> Influences:
        """The influences in a text.

        Raises:
            UserError: it has no words, too few or too many.
        """
        parts, inputs = self.read(one) if one.strip() else ([], {})
        words = [word for part in parts for word in part]
        check_words(words, one)
        said = self.say(inputs)
        count = len(said)
        rows = [
            self._gradients(inputs, np.arange(i, min(i + _AT_ONCE, count)))
            for i in range(0, count, _AT_ONCE)
        ]
        return Influences(words, said, np.concatenate(rows), self.whole)

    def _gradients(self, inputs: Inputs, numbers: np.ndarray) -> np.ndarray:
        """‖∂s<i>/∂x<j>‖ for some decisions i, `[decisions, words]`: a row of the batch each."""
        rows = {name: tf.repeat(value, len(numbers), axis=0) for name, value in inputs.items()}
        with contextlib.ExitStack() as stack:
            tape = stack.enter_context(tf.GradientTape())
            seen = [stack.enter_context(watched(layer, tape)) for layer, _ in self.layers]
            scores = self.decide(rows)
            total = tf.reduce_sum(tf.gather(scores, numbers[:, None], batch_dims=1))
        gradients = tape.gradient(total, [x for (x,) in seen], unconnected_gradients="zero")
        found = []
        for gradient, (_, later) in zip(gradients, self.layers, strict=True):
            norms = np.linalg.norm(tf.cast(gradient, tf.float64).numpy(), axis=-1)
            # What comes last is not read any more.
            found.append(np.pad(norms, [[0, 0], [0, later]])[:, later:])
        return np.concatenate(found, axis=1)


@contextlib.contextmanager
def watched(layer: keras.layers.Layer, tape: tf.GradientTape) -> Iterator[list[tf.Tensor]]:
    """While it lasts, the tape watches what a layer is called on; yields a list of that."""
    call, seen = layer.call, []

    def listen(sequences: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        tape.watch(sequences)
        seen.append(sequences)
        return call(sequences, *args, **kwargs)

    layer.call = listen
    try:
        yield seen
    finally:
        del layer.call
