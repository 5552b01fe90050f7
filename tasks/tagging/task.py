"""Tagging: a tag for each word. What named entities and parts of speech share."""

from __future__ import annotations

import copy
import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import batching
from tasks.data.batching import Sequences
from tasks.data.errors import UserError
from tasks.data.inputs import Input, read_inputs
from tasks.data.unlabelled import texts_of
from tasks.framework import figures, vocabularies
from tasks.framework.checkpoints import keep_lines
from tasks.framework.configuration import RunConfig
from tasks.framework.pretraining import PretrainedTrainer
from tasks.framework.task import VALIDATED, Task, asset_lines
from tasks.framework.text_io import PREDICT_BATCH
from tasks.tagging import formats, reading
from tasks.tagging.configuration import TaggingConfig, TaggingRun
from zoo import predictions, text
from zoo.catalog.loading import Model
from zoo.configuration import RecurrentConfig, TaggerConfig
from zoo.models import Tagger
from zoo.models.parts import MakeStack
from zoo.predictions import TaggedText
from zoo.predictor import Predictor
from zoo.saving import TaggerModule
from zoo.text.tags import Sentence, scheme_of

# Of a sentence, right or predicted.
Tags = Sequence[str]


class TaggingTask(Task[TaggingConfig]):
    """A task whose answer is a tag for each word."""

    config = TaggingConfig
    signatures: ClassVar = {"serving_default": "tags", "tokens": "tags"}
    columns = ("row", "token", "tag", "confidence")
    formats: ClassVar = {".conll": formats.conll}
    n_best = 1  # sequences of tags that are asked for

    def load(
        self, config: TaggingConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[Sentence]]:
        data = config.data
        return reading.load_corpus(
            data.data,
            self.name,
            data.files,
            splits,
            config.training.seed,
            optional,
            data.token_column,
            data.tag_column,
        )

    def trainer(
        self, corpus: dict[str, list[Sentence]], config: TaggingConfig, model_dir: str
    ) -> TaggerTrainer:
        return TaggerTrainer(self, corpus, config, model_dir)

    def asked(self, run: RunConfig) -> TaggingTask:
        task = copy.copy(self)
        task.n_best = _n_best(run)
        return task

    def check_mode(self, run: RunConfig) -> None:
        is_shown = run.output_file is None or run.output_file.endswith(".jsonl")
        if _n_best(run) > 1 and not (run.mode == "predict" and is_shown):
            raise UserError(
                "--n_best: expected --mode=predict, in the terminal or with --output_file as "
                f".jsonl. Received: --mode={run.mode} --output_file={run.output_file}"
            )

    def check_asked(self, model: Model, run: RunConfig) -> None:
        if _n_best(run) > 1 and "n_best" not in model.signatures:
            raise UserError(
                "--n_best: expected a model with a signature 'n_best'. Received: "
                f"{str(model.folder)!r}, with {sorted(model.signatures)}. It was saved before "
                "there was one: python -m zoo resave"
            )

    def predict(self, model: Predictor, texts: Sequence[str]) -> list[TaggedText]:
        found = predictions.tagged(model(texts), texts)
        if self.n_best == 1:
            return found
        more = predictions.n_best_tags(model.n_best(texts, self.n_best))
        return [
            dataclasses.replace(one, n_best=some) for one, some in zip(found, more, strict=True)
        ]

    def predict_tokens(
        self, model: Predictor, sentences: Sequence[Sequence[str]]
    ) -> list[TaggedText]:
        """A model's predictions for sentences that are in tokens already."""
        lengths = [len(tokens) for tokens in sentences]
        words = np.full([len(sentences), max(lengths)], "", object)
        for row, tokens in zip(words, sentences, strict=True):
            row[: len(tokens)] = tokens
        return predictions.tagged(model.ask("tokens", {"tokens": words, "lengths": lengths}))

    def predict_examples(self, model: Predictor, examples: list[Sentence]) -> list[list[str]]:
        found = self.predict_tokens(model, [sentence.tokens for sentence in examples])
        return [one.tags for one in found]

    def read_inputs(self, path: str, config: TaggingConfig) -> list[Input]:
        data = config.data
        return read_inputs(path, data.text_column, True, data.token_column)

    def predict_inputs(self, model: Predictor, inputs: Sequence[Input]) -> list[TaggedText]:
        sentences = [one.tokens for one in inputs if one.tokens is not None]
        if sentences:
            if self.n_best > 1:
                raise UserError(
                    "--n_best: expected texts. Received: sentences that are in tokens already"
                )
            return self.predict_tokens(model, sentences)
        return super().predict_inputs(model, inputs)

    def rows(self, prediction: TaggedText) -> list[tuple]:
        return formats.rows(prediction)

    def check_answers(self, model: Model, answers: list[Tags]) -> None:
        known = asset_lines(model, "tags.txt")
        unknown = {tag for tags in answers for tag in tags} - set(known)
        if unknown:
            raise UserError(
                f"expected tags that the model knows, {known}. "
                f"Received in the test data: {sorted(unknown)}"
            )

    def answers(self, examples: list[Sentence]) -> list[Tags]:
        return [sentence.tags for sentence in examples]

    def length(self, example: Sentence) -> int:
        return len(example.tokens)

    def text(self, example: Sentence) -> str:
        return " ".join(example.tokens)

    def counts(self, examples: list[Sentence]) -> dict[str, int]:
        return {"sentences": len(examples), "tokens": sum(len(s.tokens) for s in examples)}

    def draw(self, answers: list[Tags], predicted: list[Tags], folder: str, split: str) -> None:
        figures.confusion_matrix(
            [tag for tags in answers for tag in tags],
            [tag for tags in predicted for tag in tags],
            os.path.join(folder, f"confusion_{split}.png"),
        )

    def show(self, prediction: TaggedText, colour: bool) -> str:
        show = formats.coloured if colour else formats.bracketed
        if not prediction.n_best:
            return show(prediction)
        return "\n".join(
            f"{p:.4f}  {show(dataclasses.replace(prediction, tags=tags))}"
            for tags, p in prediction.n_best
        )

    def heard(self, answer: Mapping[str, Any]) -> list[str]:
        """A line for each word: the word and its tag."""
        pairs = zip(answer["tokens"], answer["tags"], strict=True)
        return [f"{token}\t{tag}" for token, tag in pairs]


def encode(
    sentences: Sequence[Sentence], vocabulary: text.Vocabulary, tag_ids: dict[str, int]
) -> batching.Sequences:
    """What a tagger reads of sentences, and their tags; an unknown tag, which may be in a test
    split, counts as the first."""
    tokens = tf.constant([token for sentence in sentences for token in sentence.tokens])
    return batching.Sequences(
        np.cumsum([len(sentence.tokens) for sentence in sentences]),
        {
            **{name: value.numpy() for name, value in text.features(tokens, vocabulary).items()},
            "tags": np.array([tag_ids.get(tag, 0) for s in sentences for tag in s.tags], np.int32),
        },
    )


def encode_texts(
    texts: Sequence[str], vocabulary: text.Vocabulary, max_length: int
) -> batching.Sequences:
    """What a tagger reads of texts without tags; longer ones come in parts."""

    def read(some: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        tokens = text.tokenize(text.without_markup(some))
        return text.features(tokens.flat_values, vocabulary), tokens.row_lengths()

    features, lengths = zip(*vocabularies.in_batches(texts, read), strict=True)
    whole = batching.Sequences(
        np.cumsum(np.concatenate(lengths)),
        {name: np.concatenate([one[name] for one in features]) for name in features[0]},
    )
    return whole.in_parts(max_length)


def _n_best(run: RunConfig) -> int:
    """How many sequences of tags are asked for; an experiment has no such flag."""
    return run.n_best if isinstance(run, TaggingRun) else 1


class TaggerTrainer(PretrainedTrainer[TaggingConfig]):
    """Taggers on a corpus of tagged sentences."""

    made = "tagger"

    def __init__(
        self,
        task: TaggingTask,
        corpus: dict[str, list[Sentence]],
        config: TaggingConfig,
        model_dir: str,
    ):
        super().__init__(task, corpus, config, model_dir)
        counts = text.count_words([token for s in corpus["train"] for token in s.tokens])
        texts = self._texts(config)
        if texts:
            self.reads_beside(texts)
        counts += vocabularies.count_tokens(texts)
        self.vocabulary, self.vectors = vocabularies.make_vocabulary(
            counts,
            config.data,
            model_dir,
            config.training.seed,
            self.known_words(),
        )
        self.tag_names = sorted({tag for s in corpus["train"] for tag in s.tags})
        if "O" in self.tag_names and scheme_of([self.tag_names]):
            self.tag_names.remove("O")
            self.tag_names.insert(0, "O")
        self.tags_file = keep_lines(model_dir, "tags.txt", self.tag_names)
        tag_ids = {tag: i for i, tag in enumerate(self.tag_names)}
        self.encoded = {
            split: encode(sentences, self.vocabulary, tag_ids)
            for split, sentences in corpus.items()
        }
        most = config.data.max_length
        self.unlabelled = encode_texts(texts, self.vocabulary, most) if texts else None
        cut = int(np.sum(self.encoded["train"].lengths > most))
        if cut:
            print(
                f"{task.name}: {cut} training sentences are cut to --max_length={most} words.",
                file=sys.stderr,
            )

    @staticmethod
    def _texts(config: TaggingConfig) -> list[str]:
        """What a language model learns from beside the corpus."""
        training = config.training
        where = training.pretrain_file if training.reads_more_texts else None
        return texts_of(where, config.data.text_column) if where else []

    def model_config(self) -> TaggerConfig:
        model = self.config.model
        sizes = vocabularies.sizes(model, self.vocabulary, self.vectors, self.starts)
        return model.replace(tags=tuple(self.tag_names), **sizes)

    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> Tagger:
        assert isinstance(config, TaggerConfig)
        table = None if self.vectors is None else self.vectors.table
        return Tagger(config, table, make_stack)

    def epoch(self, number: int) -> batching.Batches:
        training, most, part = self.config.training, self.config.data.max_length, self.part
        lengths = np.minimum(self.encoded["train"].lengths, most)
        groups = batching.shuffled(lengths, training.batch_size, training.seed, number)

        def make_batch(rows: list[int], padded: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
            arrays = self.encoded["train"].batch(part.of_rows(rows), part.rows, padded, most)
            return arrays, arrays.pop("tags")

        return batching.Batches(groups, make_batch)

    def running_text(self) -> Sequences:
        """The training sentences, and the texts of `pretrain_file`."""
        texts = self.encoded["train"].without("tags").cut(self.config.data.max_length)
        return texts if self.unlabelled is None else texts.followed_by(self.unlabelled)

    def validation_batches(self) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
        data = self.encoded["validation"]
        count = min(len(data), VALIDATED)
        batches = []
        for rows, padded in batching.by_length(data.lengths, PREDICT_BATCH, range(count)):
            arrays = data.batch(rows, len(rows), padded)
            batches.append((arrays, arrays.pop("tags")))
        return batches

    def predictor(self, model: Tagger) -> Callable[[str], list[list[str]]]:
        decode = function_here(model.decode)

        def predict(split: str) -> list[list[str]]:
            data = self.encoded[split]
            tags: list[list[str]] = [[]] * len(data)
            for rows, padded in batching.by_length(data.lengths, PREDICT_BATCH):
                arrays = data.batch(rows, PREDICT_BATCH, padded)
                del arrays["tags"]
                best = decode({name: tf.constant(v) for name, v in arrays.items()})[0].numpy()
                for row, number in enumerate(rows):
                    found = best[row, : data.lengths[number]]
                    tags[number] = [self.tag_names[tag] for tag in found]
            return tags

        return predict

    @property
    def finds_entities(self) -> bool:
        """Whether the tags mark entities."""
        return scheme_of([self.tag_names]) is not None

    def module(self, model: Tagger, weights: str = "float32") -> TaggerModule:
        return TaggerModule(model, self.vocabulary, self.tags_file, weights)
