"""Music: pieces of frames, from a seed chord, and how likely a piece is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import batching, running
from tasks.data.errors import DataError, UserError
from tasks.data.inputs import Input
from tasks.framework.configuration import RunConfig
from tasks.framework.task import Task, Trainer
from tasks.framework.text_io import batched
from tasks.melody import figures, formats, reading
from tasks.melody.configuration import MelodyConfig
from tasks.melody.pieces import Piece, as_array, as_piece, padded
from zoo import predictions
from zoo.catalog.loading import Model
from zoo.configuration import KEYS, MusicConfig, RecurrentConfig
from zoo.models import MusicModel
from zoo.models.parts import MakeStack
from zoo.notes import named, numbers_of
from zoo.predictions import ComposedPiece, ScoredPiece
from zoo.predictor import Predictor
from zoo.saving import MusicModule

# Frames of a piece that --mode=predict gives for a text, its seed notes.
_COMPOSED = 32
# Pieces side by side and frames at a time in scoring; neither changes a result.
_SCORED_ROWS, _SCORED_STEPS = 32, 512
# Of an evaluation, so many frames of the first piece are drawn.
_DRAWN = 128


class Melody(Task[MelodyConfig]):
    """Pieces of music, frame after frame.

    A text that is asked about is seed notes, such as `"C4 E4 G4"`.
    """

    name = "music"
    config = MelodyConfig
    score_name = "frame_log_likelihood"
    texts = ("C4 E4 G4", "")
    signatures: ClassVar = {
        "serving_default": "frames",
        "score": "log_probabilities",
        "stream": "state_frame",
    }
    columns = ("row", "frame", "notes")

    def load(
        self, config: MelodyConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[Piece]]:
        data, seed = config.data, config.training.seed
        return reading.load_corpus(data.data, data.files, splits, seed, optional, data.step)

    def trainer(
        self, corpus: dict[str, list[Piece]], config: MelodyConfig, model_dir: str
    ) -> MelodyTrainer:
        return MelodyTrainer(self, corpus, config, model_dir)

    def check_asked(self, model: Model, run: RunConfig) -> None:
        if run.mode == "stream":
            raise UserError("--mode=stream: expected a task of texts. Received: music")

    def predict(self, model: Predictor, texts: Sequence[str]) -> list[ComposedPiece]:
        """A short piece from the seed notes of each text: the same notes, the same piece."""
        try:
            return predictions.composed(model.compose(list(texts), _COMPOSED))
        except ValueError as error:
            raise UserError(f"--text: {error}") from None

    def read_inputs(self, path: str, config: MelodyConfig) -> list[Input]:
        """Seed notes, one or more of them a line."""
        inputs = super().read_inputs(path, config)
        for number, one in enumerate(inputs, start=1):
            try:
                numbers_of(one.text)
            except ValueError as error:
                raise DataError(f"{path}: input {number}: {error}") from None
        return inputs

    def rows(self, prediction: ComposedPiece) -> list[tuple]:
        """A row for each frame."""
        return [(number, named(f)) for number, f in enumerate(prediction.frames, start=1)]

    def predict_examples(self, model: Predictor, examples: list[Piece]) -> list[ScoredPiece]:
        frames, lengths = padded(examples)
        return predictions.scored_pieces(model.ask("score", {"frames": frames, "lengths": lengths}))

    def answers(self, examples: list[Piece]) -> list[Piece]:
        return examples

    def length(self, example: Piece) -> int:
        return len(example)

    def text(self, example: Piece) -> str:
        """The first frame, as seed notes."""
        return named(example[0]) if example[0] else ""

    def counts(self, examples: list[Piece]) -> dict[str, int]:
        return {
            "pieces": len(examples),
            "frames": sum(map(len, examples)),
            "notes": sum(len(frame) for piece in examples for frame in piece),
        }

    def metrics(self, answers: list[Piece], predicted: list[ScoredPiece]) -> dict[str, float]:
        """Of all frames together, the first of each piece and silent ones among them.

            frame_log_likelihood = Σ_t log P(y<t> | y<1>, ..., y<t-1>) / frames
            accuracy = TP / (TP + FP + FN)

        Source: Boulanger-Lewandowski, Bengio and Vincent 2012, LL and ACC; the frame-level accuracy
        is that of Bay, Ehmann and Downie 2009, which does not count keys that rightly are silent.
        Here the greedy frame, key by key the likelier, is predicted; they take the mean over frames
        that are drawn.
        """
        total = sum(sum(one.log_probabilities) for one in predicted)
        count = sum(len(one.log_probabilities) for one in predicted)
        pairs = [
            ({*gold}, {*greedy})
            for piece, one in zip(answers, predicted, strict=True)
            for gold, greedy in zip(piece, one.greedy, strict=True)
        ]
        right = sum(len(gold & greedy) for gold, greedy in pairs)
        either = sum(len(gold | greedy) for gold, greedy in pairs)
        return {
            "frame_log_likelihood": total / count,
            "accuracy": right / either if either else 1.0,
        }

    def draw(
        self, answers: list[Piece], predicted: list[ScoredPiece], folder: str, split: str
    ) -> None:
        """The first piece, and the greedy frame at each of its steps."""
        pieces = [answers[0][:_DRAWN], predicted[0].greedy[:_DRAWN]]
        titles = [
            f"{split}: the first piece",
            "at each step the greedy frame, given what was before",
        ]
        figures.piano_rolls(pieces, titles, os.path.join(folder, f"{split}_roll.png"))

    def show(self, prediction: ComposedPiece, colour: bool) -> str:
        del colour
        return formats.line(prediction)


class MelodyTrainer(Trainer[MelodyConfig]):
    """Models of music on a corpus of pieces.

    The frames of all training pieces lie in one table, and a piece is the numbers of its frames in
    it, from 1 up; 0 is no frame. So pieces are laid out in rows and windows as running text is.
    """

    def __init__(
        self, task: Melody, corpus: dict[str, list[Piece]], config: MelodyConfig, model_dir: str
    ):
        super().__init__(task, corpus, config, model_dir)
        self.arrays = {split: list(map(as_array, pieces)) for split, pieces in corpus.items()}
        pieces = self.arrays["train"]
        ends = np.cumsum([len(piece) for piece in pieces])
        numbers = np.split(np.arange(1, ends[-1] + 1, dtype=np.int32), ends[:-1])
        self.rows = running.rows_of(numbers, config.training.batch_size)

    def model_config(self) -> MusicConfig:
        return self.config.model.replace(rows=self.config.training.batch_size)

    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> MusicModel:
        assert isinstance(config, MusicConfig)
        return MusicModel(config, make_stack)

    def epoch(self, number: int) -> batching.Batches:
        data, training, part = self.config.data, self.config.training, self.part
        random = np.random.default_rng([training.seed, number])
        nothing = np.zeros([1, KEYS], np.uint8)
        shifted = [transposed(piece, data.transpose, random) for piece in self.arrays["train"]]
        table = np.concatenate([nothing, *shifted])
        rows = [[row[i] for i in random.permutation(len(row))] for row in self.rows]
        groups = [(window,) for window in running.windows(rows, data.window, random)]
        answers = np.zeros([part.rows], np.int32)

        def next_window(window: Sequence) -> tuple[dict[str, np.ndarray], np.ndarray]:
            numbers = running.batch(part.of_rows(window), data.window)
            inputs = {
                "frames": table[numbers["targets"]],
                "before": table[numbers["before"]],
                "real": numbers["targets"] > 0,
                "fresh": numbers["fresh"],
            }
            return inputs, answers

        return batching.Batches(groups, next_window)

    def predictor(self, model: MusicModel) -> Callable[[str], list[ScoredPiece]]:
        judge = function_here(model.judge)

        def predict(split: str) -> list[ScoredPiece]:
            found: list[ScoredPiece] = []
            for log_p, greedy in _in_windows(model, judge, self.arrays[split]):
                found.append(ScoredPiece(log_p.tolist(), as_piece(greedy)))
            return found

        return predict

    def scorer(
        self, model: MusicModel, predict: Callable[[str], list[ScoredPiece]]
    ) -> Callable[[], float]:
        """Between epochs, frames are not predicted."""
        run, pieces = function_here(model.log_probabilities), self.arrays["validation"]

        def score() -> float:
            found = [log_p for log_p, *_ in _in_windows(model, run, pieces)]
            return float(np.concatenate(found).mean())

        return score

    def module(self, model: MusicModel, weights: str = "float32") -> MusicModule:
        return MusicModule(model, weights)


def transposed(piece: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """A piece `[frames, 88]`, shifted by chance by `most` semitones at most, all keys of it on the
    piano.

    Example:
        >>> piece, random = as_array([[21, 30]]), np.random.default_rng(0)
        >>> found = [as_piece(transposed(piece, 2, random)) for _ in range(99)]
        >>> sorted({frame[0] for (frame,) in found})
        [21, 22, 23]
    """
    keys = np.flatnonzero(piece.any(axis=0))
    if not len(keys):
        return piece
    low = max(-most, -int(keys[0]))
    high = min(most, KEYS - 1 - int(keys[-1]))
    return np.roll(piece, int(random.integers(low, high + 1)), axis=1)


def _in_windows(
    model: MusicModel, run: Callable[..., tuple], pieces: Sequence[np.ndarray]
) -> list[list[np.ndarray]]:
    """What a function of frames, the frame before, states and a mask says of whole pieces.

    Args:
        model: gives the first states.
        run: returns arrays `[rows, time, ...]`, and the last states behind them.
        pieces: uint8 `[frames, 88]` each.

    Returns:
        For each piece these arrays, `[frames, ...]`.
    """
    found: list[list[np.ndarray]] = [[] for _ in pieces]
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    for numbers in batched(order, _SCORED_ROWS):
        states = model.zero_states(_SCORED_ROWS)
        before = np.zeros([_SCORED_ROWS, KEYS], np.uint8)
        parts: list[list[np.ndarray]] = []
        longest = len(pieces[numbers[0]])
        for start in range(0, longest, _SCORED_STEPS):
            steps = min(_SCORED_STEPS, batching.padded_length(longest - start))
            frames = np.zeros([_SCORED_ROWS, steps, KEYS], np.uint8)
            real = np.zeros([_SCORED_ROWS, steps], bool)
            for row, number in enumerate(numbers):
                some = pieces[number][start : start + steps]
                frames[row, : len(some)], real[row, : len(some)] = some, True
            *arrays, states = run(*map(tf.constant, (frames, before)), states, tf.constant(real))
            parts.append([array.numpy() for array in arrays])
            before = frames[:, -1]
        joined = [np.concatenate(some, axis=1) for some in zip(*parts, strict=True)]
        for row, number in enumerate(numbers):
            found[number] = [array[row, : len(pieces[number])] for array in joined]
    return found
