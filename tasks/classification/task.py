"""Classification: a label for each text."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.classification import figures, formats, reading
from tasks.classification.configuration import ClassificationConfig
from tasks.classification.metrics import class_metrics, probabilities_by_class
from tasks.classification.reading import Example
from tasks.data import batching
from tasks.data.batching import Sequences
from tasks.data.errors import UserError
from tasks.data.unlabelled import texts_of
from tasks.framework import checkpoints, fitting, vocabularies
from tasks.framework.checkpoints import keep_lines
from tasks.framework.figures import confusion_matrix
from tasks.framework.pretraining import PretrainedTrainer
from tasks.framework.stages import ANSWERS, TEACHER
from tasks.framework.task import VALIDATED, Task
from tasks.framework.text_io import PREDICT_BATCH
from zoo import predictions, text
from zoo.catalog.loading import Model
from zoo.configuration import ClassifierConfig, RecurrentConfig
from zoo.models import Classifier
from zoo.models.parts import MakeStack
from zoo.predictions import Classified
from zoo.predictor import Predictor
from zoo.saving import ClassifierModule

# Beside the splits: texts without a label, from which a teacher's pupil learns.
_UNLABELLED = "unlabelled"


class ClassificationTask(Task[ClassificationConfig]):
    """A task whose answer is one label for a text."""

    config = ClassificationConfig
    score_name = "accuracy"
    signatures: ClassVar = {"serving_default": "probabilities"}
    columns = ("label", "probability")

    def load(
        self, config: ClassificationConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[Example]]:
        data = config.data
        return reading.load_corpus(
            data.data,
            data.files,
            splits,
            config.training.seed,
            optional,
            data.text_column,
            data.label_column,
        )

    def trainer(
        self, corpus: dict[str, list[Example]], config: ClassificationConfig, model_dir: str
    ) -> ClassifierTrainer:
        return ClassifierTrainer(self, corpus, config, model_dir)

    def predict(self, model: Predictor, texts: Sequence[str]) -> list[Classified]:
        return predictions.classified(texts, model(texts)["probabilities"], model.labels())

    def rows(self, prediction: Classified) -> list[tuple]:
        return [(prediction.label, prediction.probability)]

    def predict_examples(self, model: Predictor, examples: list[Example]) -> list[Classified]:
        return self.predict(model, [example.text for example in examples])

    def check_answers(self, model: Model, answers: list[str]) -> None:
        check_labels(set(answers), model.labels(), "test")

    def answers(self, examples: list[Example]) -> list[str]:
        return [example.label for example in examples]

    def length(self, example: Example) -> int:
        return len(example.text)

    def text(self, example: Example) -> str:
        return example.text

    def counts(self, examples: list[Example]) -> dict[str, int]:
        return {"texts": len(examples), "words": sum(len(e.text.split()) for e in examples)}

    def metrics(self, answers: list[str], predicted: list[Classified]) -> dict[str, Any]:
        return class_metrics(answers, predicted)

    def draw(
        self, answers: list[str], predicted: list[Classified], folder: str, split: str
    ) -> None:
        chosen = [one.label for one in predicted]
        confusion_matrix(answers, chosen, os.path.join(folder, f"confusion_{split}.png"))
        scores = dict(probabilities_by_class(predicted))
        figures.roc_curves(answers, scores, os.path.join(folder, f"roc_{split}.png"))
        figures.calibration(answers, scores, os.path.join(folder, f"calibration_{split}.png"))

    def show(self, prediction: Classified, colour: bool) -> str:
        return formats.line(prediction, colour)

    def heard(self, answer: Mapping[str, Any]) -> list[str]:
        """How many words were read, and what is to be said of them."""
        return [f"{answer['token_count']}\t{answer['label']}\t{answer['probability']:.3f}"]


class ClassifierTrainer(PretrainedTrainer[ClassificationConfig]):
    """Classifiers on a corpus of labelled texts."""

    made = "classifier"

    def __init__(
        self,
        task: ClassificationTask,
        corpus: dict[str, list[Example]],
        config: ClassificationConfig,
        model_dir: str,
    ):
        super().__init__(task, corpus, config, model_dir)
        data, training = config.data, config.training
        names = {example.label for example in corpus["train"]}
        self.label_names = sorted(
            names, key=lambda n: (0, int(n), n) if n.isdecimal() else (1, 0, n)
        )
        if len(names) < 2:
            raise UserError(
                f"expected two classes or more. Received: {self.label_names} in the training data"
            )
        for split, examples in corpus.items():
            check_labels({example.label for example in examples}, self.label_names, split)
        self.labels_file = keep_lines(model_dir, "labels.txt", self.label_names)
        made_of = config.model
        if data.embeddings_file and (made_of.inputs == "one_hot" or made_of.is_concatenated):
            raise UserError(
                "--embeddings_file goes with --inputs=embedding, and not with "
                f"--standard=concatenated. Received: --inputs={made_of.inputs} "
                f"--standard={made_of.standard}"
            )
        texts = [example.text for example in corpus["train"]]
        unlabelled = []
        if training.reads_more_texts:
            unlabelled = self._unlabelled_texts()
            texts += unlabelled
            self.reads_beside(texts)
        known = self.known_words()
        counts = Counter() if known else vocabularies.count_tokens(texts)
        self.vocabulary, self.vectors = vocabularies.make_vocabulary(
            counts, data, model_dir, training.seed, known
        )

        parts = {split: [e.text for e in examples] for split, examples in corpus.items()}
        self.unlabelled_counts: dict[str, int] | None = None
        if training.self_training:
            parts[_UNLABELLED] = unlabelled
            self.unlabelled_counts = task.counts([Example(one, "") for one in unlabelled])
        self.encoded = vocabularies.encode(
            parts,
            lambda some: text.word_ids(some, self.vocabulary, data.max_length, data.keep),
            "words",
        )
        self._running: list[str] = texts if training.trains_language_model else []
        # What is learned: texts, and numbers of classes, or their probabilities.
        self.learned, self.targets = self._labelled()
        if not np.any(self.encoded["train"].lengths):
            raise UserError("expected texts with words. Received: none in the training data")

    def _unlabelled_texts(self) -> list[str]:
        """Those of the corpus and of `pretrain_file`.

        Raises:
            UserError: there are none to learn from.
        """
        data, training = self.config.data, self.config.training
        found = reading.unlabelled_texts(data.data, data.text_column, data.label_column)
        if training.pretrain_file:
            found += texts_of(training.pretrain_file, data.text_column)
        if training.self_training and not found:
            raise UserError(
                "--self_training: expected texts without a label, of --data=tfds:NAME or of "
                "--pretrain_file. Received: none"
            )
        count = Counter(found)
        among = {
            split: sum(count[one] for one in {e.text for e in examples})
            for split, examples in self.corpus.items()
        }
        if any(among.values()):
            parts = ", ".join(f"{n:,} of {split}" for split, n in among.items() if n)
            self.notes = [
                *self.notes,
                f"among {len(found):,} texts without a label, all of which are learned from, are "
                f"some of the corpus: {parts}.",
            ]
        return found

    def _labelled(self) -> tuple[Sequences, np.ndarray]:
        """The texts that have a label, and the numbers of their classes, int32 `[texts]`."""
        number = {name: i for i, name in enumerate(self.label_names)}
        numbers = [number[example.label] for example in self.corpus["train"]]
        return self.encoded["train"], np.array(numbers, np.int32)

    def running_text(self) -> Sequences:
        """All of every text, in parts of at most `max_length` words."""

        def words_of(texts: tf.Tensor) -> tf.RaggedTensor:
            words = text.tokenize(text.without_markup(texts))
            return words.with_flat_values(self.vocabulary(words.flat_values))

        whole = vocabularies.encode({"": self._running}, words_of, "words")[""]
        return whole.in_parts(self.config.data.max_length)

    def model_config(self) -> ClassifierConfig:
        model = self.config.model
        return model.replace(
            labels=tuple(self.label_names),
            max_length=self.config.data.max_length,
            **vocabularies.sizes(model, self.vocabulary, self.vectors, self.starts),
        )

    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> Classifier:
        assert isinstance(config, ClassifierConfig)
        table = None if self.vectors is None else self.vectors.table
        return Classifier(config, table, make_stack)

    def epoch(self, number: int) -> batching.Batches:
        training, data, part = self.config.training, self.learned, self.part
        groups = batching.shuffled(data.lengths, training.batch_size, training.seed, number)

        def make_batch(rows: list[int], padded: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
            here, targets = part.of_rows(rows), self.targets
            some = np.zeros([part.rows, *targets.shape[1:]], targets.dtype)
            some[: len(here)] = targets[here]
            return data.batch(here, part.rows, padded), some

        return batching.Batches(groups, make_batch)

    def fit(self, model: Classifier, predict: Callable[[str], list[Classified]]) -> list[dict]:
        training = self.config.training
        self.learned, self.targets = self._labelled()
        if not training.self_training:
            return super().fit(model, predict)
        self.begin(model)
        scores = [row[self.task.score_name] for row in self.epochs_before()]
        if len(scores) < training.epochs and not fitting.is_over(scores, training.patience):
            self._learn_from_a_teacher(model, has_begun=bool(scores))
        return self.fit_in(self.model_dir, training.epochs, model, predict)

    def _learn_from_a_teacher(self, model: Classifier, has_begun: bool) -> None:
        """Trains another model from where this one starts; from now on, what it says of texts
        without a label is learned too.

        Source: Xie et al. 2020, "Self-training with Noisy Student improves ImageNet
        classification": the teacher is asked without dropout, and learned from with it. Here no
        text is left out for what the teacher is not sure of.
        """
        texts, folder = self.encoded[_UNLABELLED], os.path.join(self.model_dir, TEACHER)
        print(f"\nA teacher, which is to say what {len(texts):,} more texts are:", flush=True)
        os.makedirs(folder, exist_ok=True)
        answers = tf.Variable(tf.zeros([len(texts), len(self.label_names)]))
        known = checkpoints.restore(folder, ANSWERS, [answers])
        if self.team.begin([answers], known):
            print(f"It has been asked: {os.path.join(folder, ANSWERS)}.", flush=True)
        elif has_begun and not self.team.share(checkpoints.epochs(folder)):
            raise UserError(
                f"--model_dir: {folder}: expected the teacher from which the classifier of this "
                "run has begun to learn. Received: a folder without one. Give another --model_dir."
            )
        else:
            self._ask_a_teacher(model, folder, answers)
        chosen = np.bincount(np.argmax(answers, axis=1), minlength=len(self.label_names))
        said = zip(self.label_names, chosen / max(1, len(texts)), strict=True)
        print(f"It says: {', '.join(f'{name} {share:.0%}' for name, share in said)}.", flush=True)
        labels = np.eye(len(self.label_names), dtype=np.float32)[self.targets]
        self.targets = np.concatenate([labels, answers.numpy()])
        self.learned = self.learned.followed_by(texts)
        print("\nThe classifier that it teaches:", flush=True)

    def _ask_a_teacher(self, model: Classifier, folder: str, answers: tf.Variable) -> None:
        teacher = self.build()
        teacher.start_from(model)
        epochs = self.config.training.teacher_epochs
        self.fit_in(folder, epochs, teacher, self.predictor(teacher))
        if self.team.is_chief:  # which alone has the best weights
            print("It is asked about all of them.", flush=True)
            start = time.perf_counter()
            answers.assign(self._probabilities(teacher)(_UNLABELLED))
            row = {"seconds": time.perf_counter() - start}
            checkpoints.save(folder, ANSWERS, [answers], [row])
            print(f"  ({row['seconds']:.1f} s)", flush=True)
        self.team.begin([answers], [])

    @property
    def splits(self) -> list[str]:
        more = [] if self.unlabelled_counts is None else [_UNLABELLED]
        return [*super().splits, *more]

    def counts(self, split: str) -> dict[str, int]:
        if split == _UNLABELLED and self.unlabelled_counts is not None:
            return self.unlabelled_counts
        return super().counts(split)

    def validation_batches(self) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
        data, examples = self.encoded["validation"], self.corpus["validation"]
        count = min(len(data), VALIDATED)
        return [
            (
                data.batch(rows, len(rows), padded),
                np.array([self.label_names.index(examples[i].label) for i in rows], np.int32),
            )
            for rows, padded in batching.by_length(data.lengths, PREDICT_BATCH, range(count))
        ]

    def predictor(self, model: Classifier) -> Callable[[str], list[Classified]]:
        probabilities = self._probabilities(model)

        def predict(split: str) -> list[Classified]:
            texts = [example.text for example in self.corpus[split]]
            return predictions.classified(texts, probabilities(split), self.label_names)

        return predict

    def _probabilities(self, model: Classifier) -> Callable[[str], np.ndarray]:
        """From a split to the probabilities `[texts, classes]` that the model gives, float32."""
        classify = function_here(model.probabilities)

        def of(split: str) -> np.ndarray:
            data = self.encoded[split]
            found = np.zeros([len(data), len(self.label_names)], np.float32)
            for rows, padded in batching.by_length(data.lengths, PREDICT_BATCH):
                arrays = data.batch(rows, PREDICT_BATCH, padded)
                inputs = {name: tf.constant(value) for name, value in arrays.items()}
                found[rows] = classify(inputs).numpy()[: len(rows)]
            return found

        return of

    def module(self, model: Classifier, weights: str = "float32") -> ClassifierModule:
        return ClassifierModule(
            model, self.vocabulary, self.labels_file, self.config.data.keep, weights
        )


def check_labels(labels: set[str], known: Sequence[str], split: str) -> None:
    """Raises UserError where a model does not know a label."""
    unknown = sorted(labels - set(known))
    if unknown:
        raise UserError(
            f"expected labels that the model knows, {list(known)}. "
            f"Received in the {split} data: {unknown}"
        )
