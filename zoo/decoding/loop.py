"""The loop that writes: one token after the other, whoever writes and whatever chooses.

What writes (a translator, a language model) gives scores of the next token; a strategy
(`zoo.decoding.strategies`) chooses. Sentences that are done drop out of the batch, so that the
steps of a batch cost what is still being written. Core operations only: it is a part of
SavedModels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Writer(Protocol):
    """What gives scores of the next token. Rows of a sentence lie side by side."""

    def step(self, ids: tf.Tensor, states: list[tf.Tensor], memory: Any) -> tuple:
        """From the tokens before, int32 `[rows]`, 0 for none, to a<t> `[rows, width]` and the new
        states `[rows, ...]`; memory, `[sentences, ...]`, is read only."""

    def scores(self, a: tf.Tensor) -> tf.Tensor:
        """Of each token, `[rows, vocabulary]`."""


class Choice(NamedTuple):
    """What a strategy chose in a step.

    Attributes:
        ids: int32 `[sentences, rows]`, the token that each row goes on with.
        parents: int32 `[sentences, rows]`, the row that each one goes on from, or None: itself.
        done: bool `[sentences]`, True for those that need no more steps.
        carry: what the strategy carries from step to step, tensors `[sentences, ...]`.
    """

    ids: tf.Tensor
    parents: tf.Tensor | None
    done: tf.Tensor
    carry: dict[str, tf.Tensor]


class Chooser(Protocol):
    """What chooses tokens.

    Attributes:
        rows: how many texts a sentence has at a time.
        forks: whether one may go on from another one; its choices have parents then.
    """

    @property
    def rows(self) -> int: ...

    @property
    def forks(self) -> bool: ...

    def start(self, limits: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is carried before the first step, tensors `[sentences, ...]`, from the most tokens
        of each sentence, int32 `[sentences]`."""

    def choose(self, t: tf.Tensor, scores: tf.Tensor, carry: dict[str, tf.Tensor]) -> Choice:
        """Chooses token t, from 0 up, from scores `[sentences, rows, vocabulary]`."""


class Strategy(Chooser, Protocol):
    """What chooses tokens, and makes texts of them."""

    def finish(
        self, ids: tf.Tensor, parents: tf.Tensor | None, carry: dict[str, tf.Tensor]
    ) -> Written:
        """From what was chosen, `[steps, sentences, rows]`, and what was carried in the end, to the
        texts."""


class Written(NamedTuple):
    """What was written, for each sentence the best text first.

    Attributes:
        ids: int32 `[sentences, texts, longest]`, 0 behind the last token.
        log_probability: of each text, with its `<EOS>`, `[sentences, texts]`; what is no text,
            since there are no more, has minus infinity and no tokens.
        scores: by which texts are ordered, `[sentences, texts]`.
    """

    ids: tf.Tensor
    log_probability: tf.Tensor
    scores: tf.Tensor


class Ended(NamedTuple):
    """Where the loop stands after its last step.

    Attributes:
        ids, parents: what was chosen, int32 `[steps, sentences, rows]`; parents or None.
        carry: of the strategy, `[sentences, ...]`.
        a, states: of the rows that are left, to go on from.
    """

    ids: tf.Tensor
    parents: tf.Tensor | None
    carry: dict[str, tf.Tensor]
    a: tf.Tensor
    states: list[tf.Tensor]


def write(
    writer: Writer, states: list[tf.Tensor], memory: Any, limits: tf.Tensor, strategy: Strategy
) -> Written:
    """Writes texts from their beginning.

    Args:
        writer: gives scores.
        states: before the first step, tensors `[sentences, ...]`.
        memory: what the writer looks back at, a nest of tensors `[sentences, ...]`.
        limits: int32 `[sentences]`, most tokens of a text, its `<EOS>` among them, 1 or more.
        strategy: chooses.

    Returns:
        The texts, as many for each sentence as the strategy has rows.

    Example:
        >>> class Counting:  # after 2 comes 3, after 3 comes 4, and then <EOS>
        ...     def step(self, ids, states, memory):
        ...         return tf.one_hot(tf.where(ids > 3, 2, tf.maximum(ids, 2) + 1), 5), states
        ...
        ...     def scores(self, a):
        ...         return 9 * a
        >>> from zoo.decoding.strategies import Greedy
        >>> write(Counting(), [], (), tf.constant([9]), Greedy()).ids.numpy().tolist()
        [[[3, 4, 2]]]
    """
    count = strategy.rows

    def repeated(state: tf.Tensor) -> tf.Tensor:
        return state if count == 1 else tf.repeat(state, count, axis=0)

    rows = tf.size(limits) * count
    first = tf.zeros([rows], tf.int32)
    a, states = writer.step(first, [repeated(state) for state in states], memory)
    ended = loop(writer, a, states, memory, limits, strategy, drops=True)
    return strategy.finish(ended.ids, ended.parents, ended.carry)


def loop(
    writer: Writer,
    a: tf.Tensor,
    states: list[tf.Tensor],
    memory: Any,
    limits: tf.Tensor,
    strategy: Chooser,
    drops: bool,
) -> Ended:
    """Chooses tokens and feeds them back until all sentences are done.

    Args:
        writer, memory, limits, strategy: as in `write`.
        a, states: where the first token is chosen from, `[sentences * rows, ...]`.
        drops: whether sentences that are done drop out of the batch; otherwise they go on, and the
            strategy gives 0 for them.
    """
    batch, count = tf.size(limits), strategy.rows

    def rows_of(numbers: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        """Takes the rows of some sentences out of those of all."""
        if count == 1:
            return lambda state: tf.gather(state, numbers)
        places = tf.reshape(numbers[:, None] * count + tf.range(count), [-1])
        return lambda state: tf.gather(state, places)

    def turn(
        t: tf.Tensor,
        live: tf.Tensor,
        done: tf.Tensor,
        a: tf.Tensor,
        states: list[tf.Tensor],
        memory: Any,
        carry: dict[str, tf.Tensor],
        ends: dict[str, tf.Tensor],
        arrays: list[tf.TensorArray],
    ) -> tuple:
        scores = writer.scores(a)
        scores = tf.reshape(scores, [tf.size(live), count, scores.shape[1]])
        choice = strategy.choose(t, scores, carry)
        chosen = [choice.ids] + ([] if choice.parents is None else [choice.parents])
        done, carry = choice.done, choice.carry
        if drops:
            at = live[:, None]
            arrays = [
                array.write(t, tf.scatter_nd(at, some, [batch, count]))
                for array, some in zip(arrays, chosen, strict=True)
            ]
        else:
            arrays = [array.write(t, some) for array, some in zip(arrays, chosen, strict=True)]
        ids = tf.reshape(choice.ids, [-1])
        if choice.parents is not None:
            places = tf.range(tf.size(live))[:, None] * count + choice.parents
            states = [tf.gather(state, tf.reshape(places, [-1])) for state in states]

        def drop() -> tuple:
            left = tf.cast(tf.where(~done)[:, 0], tf.int32)
            pick, of_sentence = rows_of(left), lambda x: tf.gather(x, left)
            gone = tf.where(done)
            at = tf.gather_nd(live, gone)[:, None]
            ended = {
                name: tf.tensor_scatter_nd_update(ends[name], at, tf.gather_nd(carry[name], gone))
                for name in ends
            }
            return (
                of_sentence(live),
                of_sentence(done),
                pick(ids),
                [pick(state) for state in states],
                tf.nest.map_structure(of_sentence, memory),
                {name: of_sentence(value) for name, value in carry.items()},
                ended,
            )

        if drops:
            live, done, ids, states, memory, carry, ends = tf.cond(
                tf.reduce_any(done),
                drop,
                lambda: (live, done, ids, states, memory, carry, ends),
            )
        a, states = writer.step(ids, states, memory)
        return t + 1, live, done, a, states, memory, carry, ends, arrays

    def rest_of(nest: tuple) -> tuple:
        return tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), nest)

    carry = strategy.start(limits)
    shape = [limits.shape[0], count]
    arrays = [
        tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=shape)
        for _ in range(2 if strategy.forks else 1)
    ]
    live = tf.range(batch)
    done = limits < 1
    begin: Any = (live, done, a, states, memory, carry, carry)
    if drops:
        begin = tf.nest.map_structure(_of_any_size, begin)
    invariants = (
        tf.TensorShape([]),
        *rest_of((live, done, a, states, memory, carry, carry)),
        [tf.TensorShape(None) for _ in arrays],
    )
    t, _, _, a, states, _, carry, ends, arrays = tf.while_loop(
        lambda t, live, done, *_: tf.reduce_any(~done),
        turn,
        (tf.constant(0), *begin, arrays),
        shape_invariants=invariants if drops else None,
        parallel_iterations=1,
    )

    def stacked(array: tf.TensorArray) -> tf.Tensor:
        none = tf.zeros([0, batch, count], tf.int32)
        return tf.cond(t > 0, lambda: array.stack(), lambda: none)

    ids, *parents = [stacked(array) for array in arrays]
    return Ended(ids, parents[0] if parents else None, ends if drops else carry, a, states)


def _of_any_size(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor, its first axis of unknown length to the graph.

    Where TensorFlow's constant folding knows the length at the entry of a loop, it takes it for
    that inside of it, whatever the shape invariants say.
    """
    if tf.executing_eagerly():
        return tensor
    return tf.compat.v1.placeholder_with_default(tensor, [None, *tensor.shape[1:]])
