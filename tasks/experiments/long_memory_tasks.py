"""Tasks in which distance decides: sequences made as they are needed, what is asked, what a guess
scores and when a network has solved it.

Each is data: how its sequences are made, and how long they are and are trained on by default. What
it takes follows from these milliseconds of an update of 32 sequences on one quiet core (AMD EPYC,
an LSTM of 32 units and cells of as many parameters, T numbers of the adding problem):

    T                 100    200    600
    RNN               1.0    1.9    6.2
    simplified GRU    1.3    2.7    8.5
    GRU               1.6    3.1   12.1
    LSTM              1.3    2.3    8.5

About 14 µs a step, and a second for each training to begin. With the updates below, three seeds and
four cells, and all variants that need no more time, the 312 trainings would take 77 minutes of a
core if none of them solved anything: 39 on two. Most that can be solved take a fraction.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

Batch = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator, int, int], Batch]


@dataclasses.dataclass(frozen=True)
class MemoryTask:
    """A task, and what is measured of it.

    Attributes:
        name: of `--tasks`.
        about: what is asked, in a line.
        lengths: the distances T at which it is tried by default, from the shortest up.
        updates: of a training at most, by default.
        features: of x<t>.
        outputs: of ŷ: one number, or a score for each class.
        draw: of a generator, a number of rows and a length T, x `[rows, time, features]` and y:
            numbers `[rows, 1]`, or classes `[rows, answers]` of the last steps.
        answers: how many steps at the end of a sequence are asked for.
        guess: the loss of who always says what is best without having read.
        solved: the loss of a number, or the share of right classes, at which it is solved.
        draw_validation: draws what validates, where that comes from elsewhere.
        compared: whether what a recipe changes is tried on it, at the length in the middle.
    """

    name: str
    about: str
    lengths: tuple[int, ...]
    updates: int
    features: int
    outputs: int
    draw: Draw
    guess: float
    solved: float
    answers: int = 1
    draw_validation: Draw | None = None
    compared: bool = False

    @property
    def of_classes(self) -> bool:
        """Whether the answers are classes; else numbers."""
        return self.outputs > 1

    @property
    def compared_at(self) -> int:
        """The length in the middle."""
        return self.lengths[(len(self.lengths) - 1) // 2]

    def validation(self, random: np.random.Generator, rows: int, length: int) -> Batch:
        """Sequences that validate, as `draw` gives them."""
        return (self.draw_validation or self.draw)(random, rows, length)


# --- Adding --------------------------------------------------------------------------------------


def adding(random: np.random.Generator, rows: int, length: int) -> Batch:
    """Two of T numbers are marked: say their sum at the end.

    x<t> is a number from 0 to 1 and a mark, which is 1 once in the first half and once in the
    second. Who always says 1 has a mean squared error of 1/6; solved is a root of it of 0.04, the
    tolerance of Hochreiter and Schmidhuber.

    Source: Hochreiter and Schmidhuber 1997, experiment 4; with T numbers for all sequences and
    that error of a guess, Le, Jaitly and Hinton 2015; a mark in each half, Arjovsky, Shah and
    Bengio 2016.

    Example:
        >>> x, y = adding(np.random.default_rng(0), rows=2, length=10)
        >>> x.shape, np.allclose((x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True), y)
        ((2, 10, 2), True)
    """
    x = np.zeros([rows, length, 2], np.float32)
    x[:, :, 0] = random.uniform(0, 1, [rows, length])
    each, half = np.arange(rows), length // 2
    first, second = random.integers(0, half, rows), random.integers(half, length, rows)
    x[each, first, 1] = x[each, second, 1] = 1
    return x, (x[each, first, 0] + x[each, second, 0])[:, None]


# --- Copying -------------------------------------------------------------------------------------

_SYMBOLS, COPIED = 8, 5
_BLANK, _MARK = _SYMBOLS, _SYMBOLS + 1


def copying(random: np.random.Generator, rows: int, length: int) -> Batch:
    """Five symbols of eight kinds, T blanks, the last of them a mark: then say the five symbols.

    x<t> is one-hot: the kinds, the blank, the mark. The sequences have T + 10 steps; y are the
    symbols, to be said in the last five. In the sources there are ten symbols, which gated cells of
    this size hardly learn at any T, and the loss is the mean of all steps, of which T + 10 ask for
    blanks. Here it is of the steps that ask for symbols alone, so that a guess has log 8 whatever T
    is. Solved are 95 % of the symbols.

    Source: Arjovsky, Shah and Bengio 2016; Bai, Kolter and Koltun 2018.

    Example:
        >>> x, y = copying(np.random.default_rng(0), rows=2, length=30)
        >>> x.shape, y.shape, np.array_equal(x[:, :5].argmax(-1), y)
        ((2, 40, 10), (2, 5), True)
    """
    symbols = random.integers(0, _SYMBOLS, [rows, COPIED])
    read = np.full([rows, length + 2 * COPIED], _BLANK)
    read[:, :COPIED] = symbols
    read[:, COPIED + length - 1] = _MARK
    return np.eye(_SYMBOLS + 2, dtype=np.float32)[read], symbols.astype(np.int32)


# --- Temporal order ------------------------------------------------------------------------------

_NOISE, _KINDS = 4, 2
_X, _START, _END = _NOISE, _NOISE + _KINDS, _NOISE + _KINDS + 1


def order(random: np.random.Generator, rows: int, length: int) -> Batch:
    """Twice among T symbols, X or Y stands in place of noise: say in which order, of four.

    x<t> is one-hot: a, b, c, d, which mean nothing; X, Y; and what the sequence begins and ends
    with. The first of the two stands in the second tenth of the sequence, the other in the sixth.
    A guess has log 4; solved are 99 % of the sequences.

    Source: Hochreiter and Schmidhuber 1997, experiment 6a, whose sequences have 100 to 110 steps.

    Example:
        >>> x, y = order(np.random.default_rng(0), rows=2, length=20)
        >>> x.shape, x[:, :, 4:6].sum(axis=(1, 2)).tolist()  # X and Y, two of them in each
        ((2, 20, 8), [2.0, 2.0])
    """
    read = random.integers(0, _NOISE, [rows, length])
    read[:, 0], read[:, -1] = _START, _END
    each, tenth = np.arange(rows), length // 10
    kinds = random.integers(0, _KINDS, [rows, 2])
    for column, begin in enumerate((tenth, 5 * tenth)):
        read[each, random.integers(begin, begin + tenth, rows)] = _X + kinds[:, column]
    classes = kinds[:, :1] * _KINDS + kinds[:, 1:]
    return np.eye(_END + 1, dtype=np.float32)[read], classes.astype(np.int32)


# --- Parity --------------------------------------------------------------------------------------


def parity(random: np.random.Generator, rows: int, length: int) -> Batch:
    """Up to T bits, -1 or 1, then zeros up to step T: say whether there was an odd number of ones.

    Each bit turns the answer around, so that a network has to keep one exact bit, and change it.
    A guess has log 2; solved are 99 % of the sequences.

    Source: Graves 2016, who reads all bits at once; as a task of sequences, Hochreiter and
    Schmidhuber 1997, section 2.

    Example:
        >>> x, y = parity(np.random.default_rng(0), rows=3, length=4)
        >>> np.array_equal((x[:, :, 0] == 1).sum(1, keepdims=True) % 2, y)
        True
    """
    bits = random.integers(0, 2, [rows, length])
    there = np.arange(length) < random.integers(1, length + 1, [rows, 1])
    odd = np.sum(bits * there, axis=1, keepdims=True) % 2
    return ((2.0 * bits - 1) * there).astype(np.float32)[..., None], odd.astype(np.int32)


TASKS = {
    task.name: task
    for task in (
        MemoryTask(
            "adding",
            "the sum of two marked numbers among T",
            lengths=(100, 200, 400, 600),
            updates=6000,
            features=2,
            outputs=1,
            draw=adding,
            guess=1 / 6,
            solved=0.04**2,
            compared=True,
        ),
        MemoryTask(
            "copying",
            "five symbols after T blanks",
            lengths=(10, 30, 100),
            updates=12000,
            features=_SYMBOLS + 2,
            outputs=_SYMBOLS,
            draw=copying,
            guess=math.log(_SYMBOLS),
            solved=0.95,
            answers=COPIED,
            compared=True,
        ),
        MemoryTask(
            "order",
            "in which order X and Y came among T symbols",
            lengths=(50, 100, 200),
            updates=4000,
            features=_END + 1,
            outputs=_KINDS**2,
            draw=order,
            guess=math.log(_KINDS**2),
            solved=0.99,
        ),
        MemoryTask(
            "parity",
            "whether up to T bits have an odd number of ones",
            lengths=(10, 20, 40),
            updates=10000,
            features=1,
            outputs=2,
            draw=parity,
            guess=math.log(2),
            solved=0.99,
        ),
    )
}
