"""What chooses tokens: the likeliest, one that is drawn, or a beam of the likeliest texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from zoo.decoding.drawing import draw, uniforms
from zoo.decoding.loop import Choice, Written
from zoo.text import tokens

# No translation is padding, and what is not known cannot be written.
FORBIDDEN = (tokens.PADDING, tokens.UNKNOWN)


@dataclasses.dataclass(frozen=True)
class Greedy:
    """y<t> = argmax ŷ<t>: the likeliest token, step by step.

    Where only one token is left to a text, it is `<EOS>`.

    Args:
        forbidden: tokens that are never written.

    Example:
        >>> choice = Greedy().choose(
        ...     tf.constant(0),
        ...     tf.constant([[[9.0, 9.0, 0.0, 1.0, 2.0]]]),
        ...     Greedy().start(tf.constant([8])),
        ... )
        >>> choice.ids.numpy().tolist()
        [[4]]
    """

    forbidden: tuple[int, ...] = FORBIDDEN
    rows: int = dataclasses.field(default=1, init=False)
    forks: bool = dataclasses.field(default=False, init=False)

    def start(self, limits: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `zoo.decoding.loop.Strategy`."""
        return {"limits": limits, "log_p": tf.zeros(tf.shape(limits))}

    def choose(self, t: tf.Tensor, scores: tf.Tensor, carry: dict[str, tf.Tensor]) -> Choice:
        """See `zoo.decoding.loop.Strategy`."""
        scores, last = scores[:, 0], t + 1 >= carry["limits"]
        banned = _banned(self.forbidden, scores)
        ids = tf.argmax(scores + banned, axis=1, output_type=tf.int32)
        ids = tf.where(last, tokens.END, ids)
        log_p = _score_of(scores, ids) - tf.reduce_logsumexp(scores, axis=1)
        carry = {**carry, "log_p": carry["log_p"] + log_p}
        return Choice(ids[:, None], None, ids == tokens.END, carry)

    def finish(
        self, ids: tf.Tensor, parents: tf.Tensor | None, carry: dict[str, tf.Tensor]
    ) -> Written:
        """See `zoo.decoding.loop.Strategy`."""
        return _one_each(ids, carry["log_p"])


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling:
    """y<t> is drawn from ŷ<t>, see `zoo.decoding.drawing.draw`.

    A text depends on its seed, and not on the others of the batch. Where only one token is left to
    it, it is `<EOS>`.

    Args:
        temperature, top_k, top_p: as `draw` takes them, tensors `[sentences]` or one number for
            all.
        seeds: int32 `[sentences]` or one for all.
        forbidden: tokens that are never drawn.

    Example:
        >>> start = Sampling(seeds=tf.constant([3, 5])).start(tf.constant([8, 9]))
        >>> start["temperature"].numpy().tolist()
        [1.0, 1.0]
    """

    temperature: tf.Tensor | float = 1.0
    top_k: tf.Tensor | int = 0
    top_p: tf.Tensor | float = 1.0
    seeds: tf.Tensor | int = 0
    forbidden: tuple[int, ...] = FORBIDDEN
    rows: int = dataclasses.field(default=1, init=False)
    forks: bool = dataclasses.field(default=False, init=False)

    def start(self, limits: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `zoo.decoding.loop.Strategy`."""

        def each(value: tf.Tensor | float, dtype: tf.DType) -> tf.Tensor:
            return tf.broadcast_to(tf.cast(value, dtype), tf.shape(limits))

        longest = tf.maximum(tf.reduce_max(limits), 1)
        return {
            "limits": limits,
            "log_p": tf.zeros(tf.shape(limits)),
            "temperature": each(self.temperature, tf.float32),
            "top_k": each(self.top_k, tf.int32),
            "top_p": each(self.top_p, tf.float32),
            "uniform": uniforms(each(self.seeds, tf.int32), longest),
        }

    def choose(self, t: tf.Tensor, scores: tf.Tensor, carry: dict[str, tf.Tensor]) -> Choice:
        """See `zoo.decoding.loop.Strategy`."""
        scores, last = scores[:, 0], t + 1 >= carry["limits"]
        ids, log_p = draw(
            scores,
            carry["uniform"][:, t],
            carry["temperature"],
            carry["top_k"],
            carry["top_p"],
            _banned(self.forbidden, scores) < 0,
        )
        at_last = tf.nn.log_softmax(scores)[:, tokens.END]
        ids, log_p = tf.where(last, tokens.END, ids), tf.where(last, at_last, log_p)
        carry = {**carry, "log_p": carry["log_p"] + log_p}
        return Choice(ids[:, None], None, ids == tokens.END, carry)

    def finish(
        self, ids: tf.Tensor, parents: tf.Tensor | None, carry: dict[str, tf.Tensor]
    ) -> Written:
        """See `zoo.decoding.loop.Strategy`."""
        return _one_each(ids, carry["log_p"])


@dataclasses.dataclass(frozen=True)
class Beam:
    """The likeliest texts, `size` of them side by side.

        score(y) = log P(y | x) / ((5 + |y|) / 6)^length_penalty

    with `<EOS>` among the |y| tokens. At each step, all tokens are tried behind each of the `size`
    likeliest beginnings. Texts that end are put aside, the best `size` of them, and the likeliest
    beginnings that do not end go on, until none of them can get a better score than the `n_best`
    put aside, or only one token is left, which is `<EOS>`.

    With `size=1` it is not `Greedy`: when `<EOS>` is the likeliest token, the next best beginning
    may still go on and win.

    Source: Wu et al. 2016, with their length penalty (and none for coverage).

    Args:
        size: beginnings kept at a step, 1 or more.
        length_penalty: 0 compares by probability alone, which favours short texts; 0 or more.
        n_best: texts that are wanted, 1 to `size`; the fewer, the earlier it can stop.
        forbidden: tokens that are never written.

    Raises:
        ValueError: a size below 1, a penalty below 0, or more texts than beginnings.

    Example:
        >>> Beam(size=5, length_penalty=1.0).rows
        5
    """

    size: int = 5
    length_penalty: float = 1.0
    n_best: int = 1
    forbidden: tuple[int, ...] = FORBIDDEN

    def __post_init__(self) -> None:
        if not (1 <= self.n_best <= self.size and self.length_penalty >= 0):
            raise ValueError(
                "Beam: expected a size of 1 or more, n_best of 1 to size, and a length_penalty of "
                f"0 or more. Received: {self!r}"
            )

    @property
    def rows(self) -> int:
        """`size`"""
        return self.size

    @property
    def forks(self) -> bool:
        """True: several rows may go on from one."""
        return True

    def start(self, limits: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `zoo.decoding.loop.Strategy`."""
        shape = [tf.size(limits), self.size]
        nothing = tf.fill(shape, -_INFINITY)
        return {
            "limits": limits,
            # Of the beginnings; at first they are all the same, and one is enough.
            "log_p": tf.where(tf.range(self.size) > 0, nothing, 0.0),
            # Of texts that are put aside: where their <EOS> stands, and behind which row.
            "best": nothing,
            "best_log_p": nothing,
            "end": tf.zeros(shape, tf.int32),
            "row": tf.zeros(shape, tf.int32),
        }

    def choose(self, t: tf.Tensor, scores: tf.Tensor, carry: dict[str, tf.Tensor]) -> Choice:
        """See `zoo.decoding.loop.Strategy`."""
        size, end = self.size, tokens.END
        log_p = carry["log_p"] - tf.reduce_logsumexp(scores, axis=2)
        ended = log_p + scores[:, :, end]

        # All rows' best tokens that go on, and the best of them all.
        banned = _banned((*self.forbidden, end), scores)
        few = min(size, scores.shape[2])
        values, ids = tf.math.top_k(scores + banned, few)
        values = tf.reshape(values + log_p[:, :, None], [-1, size * few])
        log_p, places = tf.math.top_k(values, size)
        parents = places // few
        ids = tf.gather(tf.reshape(ids, [-1, size * few]), places, batch_dims=1)

        # Texts that end here, and those put aside before.
        reached = tf.concat([carry["best"], ended / self._penalty(t + 1)], axis=1)
        best, places = tf.math.top_k(reached, size)
        here = tf.zeros_like(carry["end"])

        def put_aside(name: str, new: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.concat([carry[name], new], axis=1), places, batch_dims=1)

        last = t + 1 >= carry["limits"]
        hope = log_p[:, 0] / self._penalty(carry["limits"])
        carry = {
            "limits": carry["limits"],
            "log_p": log_p,
            "best": best,
            "best_log_p": put_aside("best_log_p", ended),
            "end": put_aside("end", here + t),
            "row": put_aside("row", here + tf.range(size)),
        }
        done = last | (hope <= best[:, self.n_best - 1])
        return Choice(ids, parents, done, carry)

    def finish(self, ids: tf.Tensor, parents: tf.Tensor, carry: dict[str, tf.Tensor]) -> Written:
        """See `zoo.decoding.loop.Strategy`."""
        best, log_p, end, first_row = (
            carry[name][:, : self.n_best] for name in ("best", "best_log_p", "end", "row")
        )
        real = best > -_INFINITY

        def back(t: tf.Tensor, row: tf.Tensor, written: tf.TensorArray) -> tuple:
            here = tf.where(end == t, tokens.END, tf.gather(ids[t], row, batch_dims=1))
            before = tf.gather(parents[t], row, batch_dims=1)
            here = tf.where(real & (end >= t), here, tokens.PADDING)
            return t - 1, tf.where(end > t, before, row), written.write(t, here)

        steps = tf.where(tf.size(end) > 0, tf.shape(ids)[0], 0)
        written = tf.TensorArray(tf.int32, size=steps, element_shape=end.shape)
        _, _, written = tf.while_loop(
            lambda t, *_: t >= 0, back, (steps - 1, first_row, written), parallel_iterations=1
        )
        none = tf.zeros([0, *tf.unstack(tf.shape(end))], tf.int32)
        texts = tf.cond(steps > 0, lambda: written.stack(), lambda: none)
        longest = tf.reduce_max(tf.where(real, end + 1, 0))
        texts = tf.transpose(texts, [1, 2, 0])[:, :, : tf.maximum(longest, 0)]
        return Written(texts, log_p, best)

    def _penalty(self, length: tf.Tensor) -> tf.Tensor:
        return ((5.0 + tf.cast(length, tf.float32)) / 6.0) ** self.length_penalty


_INFINITY = float("inf")


def _banned(forbidden: Sequence[int], scores: tf.Tensor) -> tf.Tensor:
    """Minus infinity for forbidden tokens, 0 for others, `[vocabulary]`."""
    # Scattered: as a constant, every graph that is saved would hold a vocabulary of zeros.
    places = tf.reshape(tf.constant(forbidden, tf.int32), [-1, 1])
    return tf.scatter_nd(places, tf.fill([len(forbidden)], -_INFINITY), [scores.shape[-1]])


def _score_of(scores: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    return tf.gather(scores, ids, batch_dims=1)


def _one_each(ids: tf.Tensor, log_p: tf.Tensor) -> Written:
    return Written(tf.transpose(ids, [1, 2, 0]), log_p[:, None], log_p[:, None])
