"""Sequences of different lengths as batches of few shapes: each new shape costs a compilation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

# Batches are padded to these lengths, and beyond them to multiples of the last.
LENGTHS = (8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024)
# Batches of a pool of sequences that `shuffled_in_pools` sorts by length.
POOL = 100


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Sequences in numbers: each feature of all their tokens in one array.

    Attributes:
        ends: where each sequence ends, `[sequences]`.
        features: arrays `[tokens, ...]` by name.
    """

    ends: np.ndarray
    features: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, `[sequences]`."""
        return np.diff(self.ends, prepend=0)

    def each(self, name: str) -> list[np.ndarray]:
        """A feature of each sequence, `[tokens, ...]`."""
        return np.split(self.features[name], self.ends[:-1]) if len(self) else []

    def without(self, name: str) -> Sequences:
        """The same but for a feature."""
        return Sequences(self.ends, {n: v for n, v in self.features.items() if n != name})

    def cut(self, most: int) -> Sequences:
        """The same, of each sequence at most so many tokens, the first ones."""
        lengths = np.minimum(self.lengths, most)
        ends = np.cumsum(lengths)
        moved = np.repeat(self.ends - self.lengths - (ends - lengths), lengths)
        tokens = np.arange(len(moved)) + moved
        return Sequences(ends, {name: values[tokens] for name, values in self.features.items()})

    def in_parts(self, most: int) -> Sequences:
        """The same tokens, those of longer sequences in parts of at most so many.

        Example:
            >>> Sequences(np.array([5, 7]), {}).in_parts(3).lengths.tolist()
            [3, 2, 2]
        """
        parts = [
            min(most, length - start) for length in self.lengths for start in range(0, length, most)
        ]
        return Sequences(np.cumsum(np.array(parts, np.int64)), self.features)

    def followed_by(self, other: Sequences) -> Sequences:
        """These and behind them others, of the same features."""
        features = {
            name: np.concatenate([values, other.features[name]])
            for name, values in self.features.items()
        }
        start = self.ends[-1:].sum()
        return Sequences(np.concatenate([self.ends, start + other.ends]), features)

    def batch(
        self, rows: Sequence[int], batch_size: int, padded: int, max_length: int | None = None
    ) -> dict[str, np.ndarray]:
        """Arrays `[batch_size, padded, ...]`, 0 behind each sequence and in rows without one."""
        batch = {
            name: np.zeros([batch_size, padded, *values.shape[1:]], values.dtype)
            for name, values in self.features.items()
        }
        for row, number in enumerate(rows):
            start = self.ends[number - 1] if number else 0
            length = min(self.ends[number] - start, max_length or padded)
            for name, values in self.features.items():
                batch[name][row, :length] = values[start : start + length]
        return batch


def by_length(
    lengths: np.ndarray, batch_size: int, order: Iterable[int] | None = None
) -> Iterator[tuple[list[int], int]]:
    """Groups sequences of like length: their numbers, at most `batch_size`, and a length for all.

    Args:
        lengths: of each sequence.
        batch_size: sequences in a group; only the last of each length has fewer.
        order: in which the sequences come, by default that of their numbers.
    """
    groups: dict[int, list[int]] = {}
    for number in range(len(lengths)) if order is None else order:
        padded = padded_length(int(lengths[number]))
        group = groups.setdefault(padded, [])
        group.append(int(number))
        if len(group) == batch_size:
            yield groups.pop(padded), padded
    for padded, group in groups.items():
        yield group, padded


def padded_length(length: int) -> int:
    """The length to which a sequence is padded, see `LENGTHS`."""
    return next((n for n in LENGTHS if length <= n), -(-length // LENGTHS[-1]) * LENGTHS[-1])


def shuffled(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list:
    """The groups of an epoch in random order, which follows from seed and epoch alone."""
    random = np.random.default_rng([seed, epoch])
    groups = list(by_length(lengths, batch_size, random.permutation(len(lengths))))
    random.shuffle(groups)
    return groups


def shuffled_in_pools(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list:
    """The groups of an epoch in random order: numbers of sequences, at most `batch_size`.

    Of a random pool of `POOL` batches, those of like length go together. For batches that may have
    any length this wastes less than the few lengths of `shuffled`: of Multi30k's pairs 15 % of what
    is computed is padding in place of 32 %. Seed and epoch alone say which groups.

    Example:
        >>> sorted(sorted(group) for group in shuffled_in_pools(np.array([9, 2, 8, 3]), 2, 0, 0))
        [[0, 2], [1, 3]]
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    groups = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")].tolist()
        groups += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    random.shuffle(groups)
    return groups


@dataclasses.dataclass(frozen=True)
class Part:
    """Which rows of each batch are made here: all of them, or those of one worker of several.

    Attributes:
        batch_size: rows of a whole batch.
        number: of the worker.
        of: how many workers there are.

    Example:
        >>> Part(4).of_rows("abcd"), Part(4, 1, 2).of_rows("abcd"), Part(4, 1, 2).of_rows("abc")
        ('abcd', 'cd', 'c')
    """

    batch_size: int
    number: int = 0
    of: int = 1

    @property
    def rows(self) -> int:
        """How many rows are made here."""
        return self.batch_size // self.of

    def of_rows(self, rows: Sequence) -> Sequence:
        """What is made here of a whole batch, which may lack its last rows."""
        return rows[self.number * self.rows : (self.number + 1) * self.rows]


@dataclasses.dataclass(frozen=True)
class Batches:
    """The batches of an epoch, each made when it is asked for.

    Attributes:
        groups: of `by_length` or another function here; each is the arguments of `make`.
        make: from a group to nested arrays, whose first axis is the batch; the second one may
            differ between groups.

    Example:
        >>> batches = Batches([(2,), (3,)], lambda size: (np.zeros([1, size]),))
        >>> len(batches), [x.shape for (x,) in batches.ahead()], batches.signature[0].shape
        (2, [(1, 2), (1, 3)], TensorShape([None, None]))
    """

    groups: Sequence[tuple]
    make: Callable[..., tuple]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def signature(self) -> tuple:
        """What all batches have in common, as nested `tf.TensorSpec`."""

        def spec(array: np.ndarray) -> tf.TensorSpec:
            return tf.TensorSpec([*[None] * min(array.ndim, 2), *array.shape[2:]], array.dtype)

        return tf.nest.map_structure(spec, self.make(*self.groups[0]))

    def ahead(self) -> Iterator[tuple]:
        """The batches, the next one made in a thread while one is used."""
        with ThreadPoolExecutor(1) as thread:
            following = thread.submit(self.make, *self.groups[0])
            for group in self.groups[1:]:
                batch, following = following.result(), thread.submit(self.make, *group)
                yield batch
            yield following.result()

    def dataset(self) -> tf.data.Dataset:
        """The batches as `tf.data`, made while the model trains."""
        dataset = tf.data.Dataset.from_generator(
            lambda: (self.make(*group) for group in self.groups), output_signature=self.signature
        )
        # There is nothing to tune, and at the end of an epoch the tuner may hold up its iterator
        # until it next wakes, which it does once a minute.
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.prefetch(4).with_options(options)
