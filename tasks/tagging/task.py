"""Tagging: a tag for each word. What `ner.py` and `pos.py` share."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import flags as absl_flags
from absl import logging

from tasks.data import batching as batches
from tasks.data import vocabularies as words
from tasks.framework import figures, flags
from tasks.framework import fitting as train
from tasks.framework import task as program
from tasks.tagging import reading as readers
from zoo import text
from zoo.models import Tagger
from zoo.saving import TaggerModule, export
from zoo.text.tags import Sentence, entities, forbidden_transitions, scheme_of

CHARACTER_DIM = absl_flags.DEFINE_integer(
    "character_dim", 32, "Units of each direction over the bytes of a word.", lower_bound=1
)
CRF = absl_flags.DEFINE_bool("crf", True, "CRF over whole sentences, or a softmax for each word.")


@dataclasses.dataclass(frozen=True)
class TaggedText:
    tokens: list[str]
    tags: list[str]
    confidence: list[float]


class TaggingTask(program.Task):
    """A task whose answer is a tag for each word."""

    flag_modules = ("tasks.tagging.task", "tasks.data.vocabularies")
    own_flags = ("character_dim", "crf", *words.FLAGS)

    @property
    def formats(self):
        return {".conll": conll, ".jsonl": json_line}

    def load(self, splits, optional):
        return readers.load_corpus(
            flags.DATA.value, self.name, flags.files(), splits, flags.SEED.value, optional
        )

    def trainer(self, corpus, model_dir):
        return TaggerTrainer(self, corpus, model_dir)

    def served(self, folder):
        return ServedTagger(folder)

    def answers(self, examples):
        return [sentence.tags for sentence in examples]

    def draw(self, answers, predicted, folder, split):
        figures.confusion_matrix(
            [tag for tags in answers for tag in tags],
            [tag for tags in predicted for tag in tags],
            os.path.join(folder, f"confusion_{split}.png"),
        )

    def counts(self, examples):
        return {"sentences": len(examples), "tokens": sum(len(s.tokens) for s in examples)}

    def show(self, prediction, colour):
        return coloured(prediction) if colour else bracketed(prediction)


def encode(
    sentences: Sequence[Sentence], vocabulary: text.Vocabulary, tag_ids: dict[str, int]
) -> batches.Sequences:
    """What a tagger reads of sentences, and their tags; an unknown tag, which may be in a test
    split, counts as the first."""
    tokens = tf.constant([token for sentence in sentences for token in sentence.tokens])
    return batches.Sequences(
        np.cumsum([len(sentence.tokens) for sentence in sentences]),
        {
            **{name: value.numpy() for name, value in text.features(tokens, vocabulary).items()},
            "tags": np.array([tag_ids.get(tag, 0) for s in sentences for tag in s.tags], np.int32),
        },
    )


class TaggerTrainer(program.Trainer):
    """Taggers on a corpus of tagged sentences."""

    def __init__(self, task, corpus, model_dir):
        super().__init__(task, corpus, model_dir)
        counts = text.count_words([token for s in corpus["train"] for token in s.tokens])
        self.vocabulary, self.vectors = words.make_vocabulary(counts, model_dir)
        self.tag_names = sorted({tag for s in corpus["train"] for tag in s.tags})
        if "O" in self.tag_names and scheme_of([self.tag_names]):
            self.tag_names.remove("O")
            self.tag_names.insert(0, "O")
        self.tags_file = text.write_lines(os.path.join(model_dir, "tags.txt"), self.tag_names)
        tag_ids = {tag: i for i, tag in enumerate(self.tag_names)}
        self.encoded = {
            split: encode(sentences, self.vocabulary, tag_ids)
            for split, sentences in corpus.items()
        }
        cut = int(np.sum(self.encoded["train"].lengths > flags.MAX_LENGTH.value))
        if cut:
            logging.warning(
                "%d training sentences are cut to --max_length=%d words.",
                cut,
                flags.MAX_LENGTH.value,
            )

    def build(self, **changes):
        keras.utils.set_random_seed(flags.SEED.value)
        pairs, starts, ends = forbidden_transitions(self.tag_names)
        arguments = {
            "cell": flags.CELL.value,
            "units": flags.UNITS.value,
            "depth": flags.DEPTH.value,
            "bidirectional": flags.BIDIRECTIONAL.value,
            "character_dim": CHARACTER_DIM.value,
            "dropout": flags.DROPOUT.value,
            "recurrent_dropout": flags.RECURRENT_DROPOUT.value,
            "word_dropout": words.WORD_DROPOUT.value,
            "crf": CRF.value,
            "jit": "auto" if flags.JIT.value else False,
            **words.embedding_arguments(self.vectors),
        }
        model = Tagger(
            self.vocabulary.size,
            len(self.tag_names),
            forbidden=pairs,
            forbidden_start=starts,
            forbidden_end=ends,
            **arguments | changes,
        )
        train.compile_model(model, self._batch([0], batches.LENGTHS[0], 2, batches.LENGTHS[0])[0])
        return model

    def _batch(self, rows, padded, batch_size=None, max_length=None):
        arrays = self.encoded["train"].batch(
            rows, batch_size or flags.BATCH_SIZE.value, padded, max_length or flags.MAX_LENGTH.value
        )
        tags = arrays.pop("tags")
        return arrays, tags

    def epoch(self, number):
        lengths = np.minimum(self.encoded["train"].lengths, flags.MAX_LENGTH.value)
        groups = batches.shuffled(lengths, flags.BATCH_SIZE.value, flags.SEED.value, number)
        return batches.as_dataset(groups, self._batch), len(groups)

    def predictor(self, model):
        decode = tf.function(model.decode, autograph=False, reduce_retracing=True)

        def predict(split: str) -> list[list[str]]:
            data = self.encoded[split]
            tags: list = [None] * len(data)
            for rows, padded in batches.by_length(data.lengths, program.PREDICT_BATCH):
                arrays = data.batch(rows, program.PREDICT_BATCH, padded)
                del arrays["tags"]
                best = decode({name: tf.constant(v) for name, v in arrays.items()})[0].numpy()
                for row, number in enumerate(rows):
                    found = best[row, : data.lengths[number]]
                    tags[number] = [self.tag_names[tag] for tag in found]
            return tags

        return predict

    def save(self, model, export_dir):
        module = TaggerModule(model, self.vocabulary, self.tags_file, flags.WEIGHTS.value)
        samples = tf.constant([*self.task.texts, ""])
        words = text.tokenize(samples)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        warmup = [
            ("serving_default", {"text": samples}),
            ("tokens", {"tokens": words.to_tensor(), "lengths": lengths}),
        ]
        signatures = {"serving_default": module.serving_default, "tokens": module.tokens}
        return export.save(module, signatures, export_dir, warmup)


class ServedTagger(program.Served):
    """A tagger's SavedModel."""

    def __init__(self, folder: str):
        super().__init__(folder, "tokens")
        with open(self.model.tags.asset_path.numpy(), encoding="utf-8") as file:
            self.tag_names = file.read().splitlines()

    def predict(self, texts):
        run = self.model.signatures["serving_default"]
        return self._sentences(run(text=tf.constant(list(texts), tf.string)))

    def evaluate(self, examples):
        words = tf.ragged.constant([list(s.tokens) for s in examples], tf.string, ragged_rank=1)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        run = self.model.signatures["tokens"]
        tagged = self._sentences(run(tokens=words.to_tensor(), lengths=lengths))
        return [one.tags for one in tagged]

    def check(self, answers):
        unknown = {tag for tags in answers for tag in tags} - set(self.tag_names)
        if unknown:
            raise flags.UserError(
                f"expected tags that the model knows, {self.tag_names}. "
                f"Received in the test data: {sorted(unknown)}"
            )

    def _sentences(self, out: dict) -> list[TaggedText]:
        out = {name: value.numpy() for name, value in out.items()}
        return [
            TaggedText(
                [token.decode("utf-8", "replace") for token in out["tokens"][i, :n]],
                [tag.decode() for tag in out["tags"][i, :n]],
                [float(c) for c in out["confidence"][i, :n]],
            )
            for i, n in enumerate(out["lengths"])
        ]


# --- Predictions as text -------------------------------------------------------------------------


def pieces(one: TaggedText) -> Iterator[tuple[str, str]]:
    """Entities, (words, type), and the words between them, (word, ""); or each word and its tag."""
    if scheme_of([one.tags]) is None and set(one.tags) != {"O"}:
        yield from zip(one.tokens, one.tags, strict=True)
        return
    position = 0
    for kind, start, end in entities(one.tags):
        yield from ((token, "") for token in one.tokens[position:start])
        yield " ".join(one.tokens[start:end]), kind
        position = end
    yield from ((token, "") for token in one.tokens[position:])


def bracketed(one: TaggedText) -> str:
    return " ".join(f"[{words} {kind}]" if kind else words for words, kind in pieces(one))


def coloured(one: TaggedText) -> str:
    colours = {"PER": 32, "LOC": 34, "ORG": 33}
    return " ".join(
        f"\033[1;{colours.get(kind, 35)}m{words}\033[0m\033[2m {kind}\033[0m" if kind else words
        for words, kind in pieces(one)
    )


def conll(one: TaggedText) -> str:
    lines = (f"{token}\t{tag}\n" for token, tag in zip(one.tokens, one.tags, strict=True))
    return "".join(lines) + "\n"


def json_line(one: TaggedText) -> str:
    return json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"
