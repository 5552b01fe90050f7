"""Classes of texts: a label for each text. The road of `sentiment.py` and of other classifiers."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import flags as absl_flags

from layers import POOLINGS
from tasks.classification import explaining as explain
from tasks.classification import reading as labelled
from tasks.data import batching as batches
from tasks.data import vocabularies as words
from tasks.framework import figures, flags
from tasks.framework import fitting as train
from tasks.framework import task as program
from zoo import text
from zoo.models import Classifier
from zoo.models.word_predictor import WordPredictor
from zoo.saving import ClassifierModule, export

POOLING = absl_flags.DEFINE_enum(
    "pooling", "attention", ("last", *POOLINGS), "What of the recurrent layers is classified."
)
KEEP = absl_flags.DEFINE_enum(
    "keep", "both", ("start", "end", "both"), "Which words of texts beyond --max_length are read."
)
INPUTS = absl_flags.DEFINE_enum(
    "inputs", "embedding", ("embedding", "one_hot"), "What stands for a word."
)
STANDARD = absl_flags.DEFINE_enum(
    "standard",
    "bag",
    ("bag", "concatenated"),
    "What the standard network of --cell=none reads: a bag of words, or one-hot vectors of all "
    "words up to --max_length side by side.",
)
PRETRAIN = absl_flags.DEFINE_bool(
    "pretrain",
    False,
    "Start from a language model of the corpus' own texts, those without a label included.",
)
PRETRAIN_EPOCHS = absl_flags.DEFINE_integer(
    "pretrain_epochs", 5, "Epochs of the language model.", lower_bound=1
)
LABEL_COLUMN = absl_flags.DEFINE_string(
    "label_column", None, "Column, key or feature with the label. Default: label."
)

# The language model is scored on so many validation texts, by the whole softmax.
_TEXTS_TO_SCORE = 256


@dataclasses.dataclass(frozen=True)
class Classified:
    text: str
    label: str
    probability: float
    probabilities: dict[str, float]


def class_metrics(answers: Sequence[str], predicted: Sequence[Classified]) -> dict:
    """Accuracy, macro F1, area under the ROC curve, calibration, and each class by itself.

    The calibration error is the mean distance, weighted by texts, between the probability of the
    chosen label and the share of right answers, in ten bins (Guo et al. 2017).
    """
    from sklearn import metrics

    names = list(predicted[0].probabilities)
    chosen = [one.label for one in predicted]
    columns = metrics.precision_recall_fscore_support(
        answers, chosen, labels=names, zero_division=0
    )
    by_class = {
        name: {
            "precision": float(precision),
            "recall": float(recall),
            "f1-score": float(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(names, *columns, strict=True)
    }
    right = np.array([a == b for a, b in zip(answers, chosen, strict=True)])
    confidence = np.array([one.probability for one in predicted])
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(np.sum(right[bins == i]) - np.sum(confidence[bins == i])) for i in np.unique(bins)]
    areas = [
        metrics.roc_auc_score([a == name for a in answers], probabilities)
        for name, probabilities in _by_class(predicted)
        if 0 < sum(a == name for a in answers) < len(answers)
    ]
    return {
        "accuracy": float(np.mean(right)),
        "macro_f1": float(np.mean([row["f1-score"] for row in by_class.values()])),
        **({"roc_auc": float(np.mean(areas))} if areas else {}),
        "calibration_error": float(np.sum(gaps) / len(answers)),
        "by_class": by_class,
    }


def _by_class(predicted: Sequence[Classified]) -> Iterator[tuple[str, list[float]]]:
    for name in predicted[0].probabilities:
        yield name, [one.probabilities[name] for one in predicted]


class ClassificationTask(program.Task):
    """A task whose answer is one label for a text."""

    score_name = "accuracy"
    flag_modules = (
        "tasks.classification.task",
        "tasks.classification.explaining",
        "tasks.data.vocabularies",
    )
    own_flags = (
        *("pooling", "keep", "inputs", "standard", "text_column", "label_column"),
        *("pretrain", "pretrain_epochs"),
        *words.FLAGS,
    )
    defaults = {"max_length": 400, "units": 64, "epochs": 8, "patience": 3}  # noqa: RUF012
    modes = {"explain": explain.explain_mode}  # noqa: RUF012

    @property
    def formats(self):
        return {".tsv": tab_separated, ".jsonl": json_line}

    def load(self, splits, optional):
        return labelled.load_corpus(
            flags.DATA.value,
            flags.files(),
            splits,
            flags.SEED.value,
            optional,
            flags.TEXT_COLUMN.value,
            LABEL_COLUMN.value,
        )

    def trainer(self, corpus, model_dir):
        return ClassifierTrainer(self, corpus, model_dir)

    def served(self, folder):
        return ServedClassifier(folder)

    def answers(self, examples):
        return [example.label for example in examples]

    def metrics(self, answers, predicted):
        return class_metrics(answers, predicted)

    def draw(self, answers, predicted, folder, split):
        chosen = [one.label for one in predicted]
        figures.confusion_matrix(answers, chosen, os.path.join(folder, f"confusion_{split}.png"))
        scores = dict(_by_class(predicted))
        figures.roc_curves(answers, scores, os.path.join(folder, f"roc_{split}.png"))
        figures.calibration(answers, scores, os.path.join(folder, f"calibration_{split}.png"))

    def counts(self, examples):
        return {"texts": len(examples), "words": sum(len(e.text.split()) for e in examples)}

    def show(self, prediction, colour):
        label = f"{prediction.label} {prediction.probability:.1%}"
        line = " ".join(prediction.text.split())
        return f"\033[1m{label}\033[0m  {line}" if colour else f"{label}  {line}"


def encode(texts: Sequence[str], vocabulary: text.Vocabulary) -> batches.Sequences:
    """What a classifier reads of texts."""

    def ids(some):
        found = text.word_ids(some, vocabulary, flags.MAX_LENGTH.value, KEEP.value)
        return found.flat_values, found.row_lengths()

    values, lengths = zip(*words.in_batches(texts, ids), strict=True)
    return batches.Sequences(np.cumsum(np.concatenate(lengths)), {"words": np.concatenate(values)})


def count_tokens(texts: Sequence[str]) -> Counter:
    """How often each normalized word occurs in texts."""
    counts: Counter = Counter()
    for tokens in words.in_batches(
        texts, lambda some: text.tokenize(text.without_markup(some)).flat_values
    ):
        counts.update(tokens.tolist())
    return text.count_words(counts)


class ClassifierTrainer(program.Trainer):
    """Classifiers on a corpus of labelled texts."""

    def __init__(self, task, corpus, model_dir):
        super().__init__(task, corpus, model_dir)
        names = {example.label for example in corpus["train"]}
        self.label_names = sorted(names, key=lambda n: (0, int(n), n) if n.isdigit() else (1, 0, n))
        if len(names) < 2:
            raise flags.UserError(
                f"expected two classes or more. Received: {self.label_names} in the training data"
            )
        for split, examples in corpus.items():
            check_labels({example.label for example in examples}, self.label_names, split)
        self.labels_file = text.write_lines(os.path.join(model_dir, "labels.txt"), self.label_names)
        texts = [example.text for example in corpus["train"]]
        if PRETRAIN.value:
            if flags.CELL.value == "none" or INPUTS.value != "embedding":
                raise flags.UserError(
                    "--pretrain goes with a recurrent --cell and --inputs=embedding. "
                    f"Received: --cell={flags.CELL.value} --inputs={INPUTS.value}"
                )
            texts += labelled.unlabelled_texts(flags.DATA.value, flags.TEXT_COLUMN.value)
        counts = count_tokens(texts)
        self.vocabulary, self.vectors = words.make_vocabulary(counts, model_dir)
        self.encoded = {
            split: encode([example.text for example in examples], self.vocabulary)
            for split, examples in corpus.items()
        }
        self.unlabelled = encode(texts, self.vocabulary) if PRETRAIN.value else None
        number = {name: i for i, name in enumerate(self.label_names)}
        self.labels = np.array([number[e.label] for e in corpus["train"]], np.int32)
        if not np.any(self.encoded["train"].lengths):
            raise flags.UserError("expected texts with words. Received: none in the training data")

    def build(self, **changes):
        keras.utils.set_random_seed(flags.SEED.value)
        arguments = {
            "cell": flags.CELL.value,
            "units": flags.UNITS.value,
            "depth": flags.DEPTH.value,
            "bidirectional": flags.BIDIRECTIONAL.value,
            "inputs": INPUTS.value,
            "pooling": POOLING.value,
            "standard": STANDARD.value,
            "max_length": flags.MAX_LENGTH.value,
            "dropout": flags.DROPOUT.value,
            "recurrent_dropout": flags.RECURRENT_DROPOUT.value,
            "word_dropout": words.WORD_DROPOUT.value,
            "jit": "auto" if flags.JIT.value else False,
            **words.embedding_arguments(self.vectors),
        }
        model = Classifier(self.vocabulary.size, len(self.label_names), **arguments | changes)
        train.compile_model(model, self._batch([0], batches.LENGTHS[0], 2, batches.LENGTHS[0])[0])
        return model

    def _batch(self, rows, padded, batch_size=None, max_length=None):
        size = batch_size or flags.BATCH_SIZE.value
        labels = np.zeros([size], np.int32)
        labels[: len(rows)] = self.labels[rows]
        return self.encoded["train"].batch(rows, size, padded, max_length), labels

    def epoch(self, number):
        lengths = self.encoded["train"].lengths
        groups = batches.shuffled(lengths, flags.BATCH_SIZE.value, flags.SEED.value, number)
        return batches.as_dataset(groups, self._batch), len(groups)

    def fit(self, model, predict, model_dir):
        if PRETRAIN.value and model.stack is not None:
            self._pretrain(model, os.path.join(model_dir, "pretraining"))
        return super().fit(model, predict, model_dir)

    def _pretrain(self, classifier: Classifier, folder: str) -> None:
        """Trains a language model, or loads the one that was trained, and hands its weights on."""
        keras.utils.set_random_seed(flags.SEED.value)
        model = WordPredictor(
            self.vocabulary.size,
            flags.CELL.value,
            flags.UNITS.value,
            flags.BIDIRECTIONAL.value,
            classifier.word_embedding.output_dim,
            jit="auto" if flags.JIT.value else False,
        )
        texts = self.unlabelled
        os.makedirs(folder, exist_ok=True)
        train.compile_model(model, texts.batch([0], 2, batches.LENGTHS[0], batches.LENGTHS[0]))

        def make_batch(rows, padded):
            size = flags.BATCH_SIZE.value
            return texts.batch(rows, size, padded), np.zeros([size], np.int32)

        def epoch(number):
            seed, size = flags.SEED.value, flags.BATCH_SIZE.value
            groups = batches.shuffled(texts.lengths, size, seed, number)
            return batches.as_dataset(groups, make_batch), len(groups)

        measure = tf.function(model.log_likelihood, autograph=False, reduce_retracing=True)
        data = self.encoded["validation"]
        some = list(
            batches.by_length(data.lengths, program.PREDICT_BATCH, range(min(256, len(data))))
        )

        def score():
            parts = [
                measure({"words": tf.constant(data.batch(rows, program.PREDICT_BATCH, n)["words"])})
                for rows, n in some
            ]
            return float(sum(total for total, _ in parts)) / max(1, sum(int(n) for _, n in parts))

        print("\nA language model of the texts:", flush=True)
        train.fit(model, epoch, score, "log_likelihood", folder, PRETRAIN_EPOCHS.value)
        model.give_weights(classifier)
        print("\nThe classifier:", flush=True)

    def predictor(self, model):
        classify = tf.function(model.probabilities, autograph=False, reduce_retracing=True)

        def predict(split: str) -> list[Classified]:
            data = self.encoded[split]
            found = np.zeros([len(data), len(self.label_names)], np.float32)
            for rows, padded in batches.by_length(data.lengths, program.PREDICT_BATCH):
                arrays = data.batch(rows, program.PREDICT_BATCH, padded)
                inputs = {name: tf.constant(value) for name, value in arrays.items()}
                found[rows] = classify(inputs).numpy()[: len(rows)]
            texts = [example.text for example in self.corpus[split]]
            return classified(texts, found, self.label_names)

        return predict

    def save(self, model, export_dir):
        module = ClassifierModule(
            model,
            self.vocabulary,
            self.labels_file,
            flags.MAX_LENGTH.value,
            KEEP.value,
            flags.WEIGHTS.value,
        )
        samples = tf.constant([*self.task.texts, ""])
        return export.save(
            module,
            {"serving_default": module.serving_default},
            export_dir,
            [("serving_default", {"text": samples})],
        )


class ServedClassifier(program.Served):
    """A classifier's SavedModel."""

    def __init__(self, folder: str):
        super().__init__(folder)
        if "probabilities" not in self.model.signatures["serving_default"].structured_outputs:
            raise flags.UserError(f"--model: expected a classifier. Received: {folder!r}")
        with open(self.model.labels.asset_path.numpy(), encoding="utf-8") as file:
            self.label_names = file.read().splitlines()

    def predict(self, texts):
        return classified(texts, self.probabilities(texts), self.label_names)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """`[texts, classes]`."""
        run = self.model.signatures["serving_default"]
        return run(text=tf.constant(list(texts), tf.string))["probabilities"].numpy()

    def evaluate(self, examples):
        return self.predict([example.text for example in examples])

    def check(self, answers):
        check_labels(set(answers), self.label_names, "test")


def check_labels(labels: set[str], known: Sequence[str], split: str) -> None:
    unknown = sorted(labels - set(known))
    if unknown:
        raise flags.UserError(
            f"expected labels that the model knows, {list(known)}. "
            f"Received in the {split} data: {unknown}"
        )


def classified(
    texts: Sequence[str], probabilities: np.ndarray, names: Sequence[str]
) -> list[Classified]:
    return [
        Classified(
            one,
            names[int(np.argmax(row))],
            float(np.max(row)),
            {name: float(p) for name, p in zip(names, row, strict=True)},
        )
        for one, row in zip(texts, probabilities, strict=True)
    ]


def json_line(one: Classified) -> str:
    return json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"


def tab_separated(one: Classified) -> str:
    line = " ".join(one.text.split())
    return f"{one.label}\t{one.probability:.6f}\t{line}\n"
