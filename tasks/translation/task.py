"""Translation: a text read in one language, and written in another."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tasks.data import batching
from tasks.data.errors import UserError
from tasks.data.inputs import Input, read_inputs
from tasks.data.names import can_be_line
from tasks.framework import starting, vocabularies
from tasks.framework.checkpoints import keep_lines
from tasks.framework.configuration import RunConfig
from tasks.framework.task import VALIDATED, Task, Trainer
from tasks.framework.text_io import PREDICT_BATCH, batched
from tasks.translation import figures, reading, scores
from tasks.translation.configuration import TranslationConfig, TranslationRun
from tasks.translation.demo import Pair
from zoo import predictions
from zoo.catalog.loading import Model
from zoo.configuration import EncoderDecoderConfig, RecurrentConfig
from zoo.models import EncoderDecoder
from zoo.models.parts import MakeStack
from zoo.predictions import Translation
from zoo.predictor import Predictor
from zoo.saving import TranslatorModule
from zoo.saving.translator import Reader
from zoo.text import subwords, tokens

VOCABULARY, SOURCE_VOCABULARY = "vocabulary.txt", "source_vocabulary.txt"
# Both sides of a batch are padded to multiples of this.
_MULTIPLE = 4


class Translating(Task[TranslationConfig]):
    """The translation of a text."""

    name = "translate"
    config = TranslationConfig
    score_name = "bleu"
    texts = (
        "The red cat does not sleep.",
        "My old aunt looks for her white bird because she loves the small island.",
    )
    signatures: ClassVar = {"serving_default": "text", "n_best": "log_probability"}
    columns = ("translation", "log_probability")
    formats: ClassVar = {".txt": lambda given, prediction: _lines(prediction)}

    def load(
        self, config: TranslationConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[Pair]]:
        data = config.data
        return reading.load_corpus(
            data.data,
            data.files,
            splits,
            config.training.seed,
            optional,
            data.source,
            data.target,
            data.held_out_test,
        )

    def trainer(
        self, corpus: dict[str, list[Pair]], config: TranslationConfig, model_dir: str
    ) -> TranslatorTrainer:
        return TranslatorTrainer(self, corpus, config, model_dir)

    def read_inputs(self, path: str, config: TranslationConfig) -> list[Input]:
        data = config.data
        if data.text_column is not None:
            return read_inputs(path, data.text_column)
        return reading.read_sources(path, data.source)

    def predict(self, model: Predictor, texts: Sequence[str]) -> list[Translation]:
        return predictions.translated(texts, model.ask("n_best", {"text": texts}))

    def check_asked(self, model: Model, run: RunConfig) -> None:
        saved = sorted({"beam_size", "length_penalty", "replace_unknown"} & {*run.given})
        if saved:
            raise UserError(
                f"--{saved[0]}: a SavedModel has its own. Expected --mode=export with the "
                "--model_dir of its training run, which saves it with another. Received: "
                f"--mode={run.mode}"
            )
        shape = model.signatures["n_best"].outputs["text"].shape
        most = shape[1] if shape else None
        if isinstance(run, TranslationRun) and most is not None and run.n_best > most:
            raise UserError(
                f"--n_best: expected at most {most}, as many as the model follows. Received: "
                f"{run.n_best}. --mode=export --beam_size={run.n_best} saves one that follows more."
            )

    def as_asked(self, prediction: Translation, run: RunConfig) -> Translation:
        assert isinstance(run, TranslationRun)
        return dataclasses.replace(prediction, n_best=prediction.n_best[: run.n_best - 1])

    def rows(self, prediction: Translation) -> list[tuple]:
        return [(prediction.translation, prediction.log_probability), *prediction.n_best]

    def predict_examples(self, model: Predictor, examples: list[Pair]) -> list[Translation]:
        return self.predict(model, [pair.source for pair in examples])

    def answers(self, examples: list[Pair]) -> list[str]:
        return [pair.target for pair in examples]

    def length(self, example: Pair) -> int:
        return len(example.source)

    def text(self, example: Pair) -> str:
        return example.source

    def counts(self, examples: list[Pair]) -> dict[str, int]:
        return {
            "pairs": len(examples),
            "source_words": sum(len(pair.source.split()) for pair in examples),
            "target_words": sum(len(pair.target.split()) for pair in examples),
        }

    def metrics(self, answers: list[str], predicted: list[Translation]) -> dict[str, Any]:
        sources, translations = zip(*((p.text, p.translation) for p in predicted), strict=True)
        return scores.metrics(sources, answers, translations)

    def draw(
        self, answers: list[str], predicted: list[Translation], folder: str, split: str
    ) -> None:
        rows = {"": scores.bleu_by_length(predicted, answers)}
        path = os.path.join(folder, f"bleu_by_length_{split}.png")
        figures.by_length(rows, path, "words of the source", "BLEU")

    def show(self, prediction: Translation, colour: bool) -> str:
        """A line; with more than one translation, a line each and an empty one. Probabilities are
        for the eye: what goes on to another program is text."""
        if not colour:
            return _lines(prediction).removesuffix("\n")
        rows = self.rows(prediction)
        lines = [f"{text}  \033[2m{p:.2f}\033[0m" for text, p in rows]
        return "\n".join([*lines, ""] if prediction.n_best else lines)


class TranslatorTrainer(Trainer[TranslationConfig]):
    """Translators on a parallel corpus."""

    def __init__(
        self,
        task: Translating,
        corpus: dict[str, list[Pair]],
        config: TranslationConfig,
        model_dir: str,
    ):
        super().__init__(task, corpus, config, model_dir)
        self.source_reader, self.target_reader = readers = self._readers()
        encoded: dict[tuple[str, int], batching.Sequences] = {}
        for reader in {id(one): one for one in readers}.values():
            parts = {
                (split, side): [pair[side] for pair in pairs]
                for split, pairs in corpus.items()
                for side in range(2)
                if readers[side] is reader
            }
            encoded |= vocabularies.encode(parts, reader.ids)
        self.encoded = {split: (encoded[split, 0], encoded[split, 1]) for split in corpus}

        _, kept = self._lengths("train")
        count, long = len(corpus["train"]), len(corpus["train"]) - len(kept)
        limit = f"--max_length={config.data.max_length} tokens"
        if not len(kept):
            raise UserError(f"{limit}: expected training pairs that are shorter. Received: none")
        if long:
            print(f"train: left out {long:,} of {count:,} pairs, longer than {limit}", flush=True)

    def _lengths(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of the longer side of each pair, and which pairs are trained on: of what is cut on
        both sides, one is no translation of the other."""
        lengths = np.maximum(*(side.lengths for side in self.encoded[split]))
        return lengths, np.flatnonzero(lengths <= self.config.data.max_length)

    def _readers(self) -> tuple[Reader, Reader]:
        """How sources are read and targets written; one object where they share a vocabulary."""
        data, pairs = self.config.data, self.corpus["train"]
        sides = [[pair.source for pair in pairs], [pair.target for pair in pairs]]
        if data.subwords:
            try:
                names = self._names(
                    VOCABULARY,
                    lambda: subwords.learn(
                        [*sides[0], *sides[1]], data.subwords, data.character_coverage
                    ),
                )
            except ValueError as error:
                raise UserError(f"--{error}") from None
            both = subwords.Subwords(keep_lines(self.model_dir, VOCABULARY, names))
            return both, both
        found = []
        for side, file in zip(sides, (SOURCE_VOCABULARY, VOCABULARY), strict=True):
            names = self._names(file, functools.partial(self._words, side))
            path = keep_lines(self.model_dir, file, names)
            found.append(tokens.Tokens(path, "words"))
        return found[0], found[1]

    def _names(self, file: str, learn: Callable[[], list[str]]) -> list[str]:
        return learn() if self.source is None else starting.lines(self.source, file)

    def _words(self, side: Sequence[str]) -> list[str]:
        def split(part: tf.Tensor) -> tf.Tensor:
            return tokens.tokenize(part, "words").flat_values

        words = (
            word
            for part in vocabularies.in_batches(side, split)
            for word in part.tolist()
            if can_be_line(word.decode("utf-8", "replace"))
        )
        data = self.config.data
        return tokens.make_vocabulary(words, data.vocab_size, data.min_count, "words")

    def model_config(self) -> EncoderDecoderConfig:
        apart = self.source_reader is not self.target_reader
        return self.config.model.replace(
            vocabulary_size=self.target_reader.size,
            source_vocabulary_size=self.source_reader.size if apart else 0,
        )

    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> EncoderDecoder:
        assert isinstance(config, EncoderDecoderConfig)
        return EncoderDecoder(config, make_stack)

    def epoch(self, number: int) -> batching.Batches:
        training, most, part = self.config.training, self.config.data.max_length, self.part
        lengths, kept = self._lengths("train")
        groups = [
            (kept[rows].tolist(),)
            for rows in batching.shuffled_in_pools(
                lengths[kept], training.batch_size, training.seed, number
            )
        ]
        nothing = np.zeros([part.rows], np.int32)

        def pairs(rows: list[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
            return self._batch("train", rows, part.rows, most, part.of_rows(rows)), nothing

        return batching.Batches(groups, pairs)

    def _batch(
        self,
        split: str,
        rows: Sequence[int],
        count: int,
        most: int,
        here: Sequence[int] | None = None,
    ) -> dict:
        """Source and target of some pairs, or those `here` of them, each padded to the longest of
        all."""

        def padded(side: batching.Sequences) -> np.ndarray:
            longest = min(most, int(side.lengths[list(rows)].max(initial=1)))
            width = -(-longest // _MULTIPLE) * _MULTIPLE
            return side.batch(rows if here is None else here, count, width, most)["ids"]

        source, target = self.encoded[split]
        return {"source": padded(source), "targets": padded(target)}

    def validation_batches(self) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
        _, kept = self._lengths("validation")
        most = self.config.data.max_length
        return [
            (self._batch("validation", rows, len(rows), most), np.zeros([len(rows)], np.int32))
            for rows in batched(kept[:VALIDATED].tolist(), PREDICT_BATCH)
        ]

    def predictor(self, model: EncoderDecoder) -> Callable[[str], list[Translation]]:
        served = self.in_memory(model)

        def predict(split: str) -> list[Translation]:
            texts = [pair.source for pair in self.corpus[split]]
            return predictions.translated(texts, served(texts))

        return predict

    def scorer(
        self, model: EncoderDecoder, predict: Callable[[str], list[Translation]]
    ) -> Callable[[], float]:
        """Between epochs the likeliest next token is taken at each step, for some of the validation
        pairs: a search takes longer and says the same."""
        served, examples = self.in_memory(model), self.corpus["validation"][:VALIDATED]
        texts, answers = [pair.source for pair in examples], self.task.answers(examples)
        print(
            f"Between epochs, BLEU is that of {len(texts):,} validation pairs, without search.",
            flush=True,
        )

        def score() -> float:
            return scores.bleu(answers, served.ask("greedy", {"text": texts})["text"].tolist())

        return score

    def module(self, model: EncoderDecoder, weights: str = "float32") -> TranslatorModule:
        if self.config.training.replace_unknown and self.config.data.subwords:
            raise UserError(
                "--replace_unknown goes with --subwords=0: of pieces, hardly any is unknown"
            )
        try:
            return TranslatorModule(
                model,
                self.source_reader,
                self.target_reader,
                weights,
                **self.saved_with(),
            )
        except ValueError as error:
            raise UserError(f"--{error}") from None

    def saved_with(self) -> dict[str, Any]:
        """How the SavedModel searches."""
        training = self.config.training
        return {
            "beam_size": training.beam_size,
            "length_penalty": training.length_penalty,
            "replace_unknown": training.replace_unknown,
        }


def _lines(prediction: Translation) -> str:
    """The translation as a line; if there are more, all of them, and an empty line behind."""
    if not prediction.n_best:
        return f"{prediction.translation}\n"
    texts = [prediction.translation, *(text for text, _ in prediction.n_best)]
    return "".join(f"{text}\n" for text in [*texts, ""])
