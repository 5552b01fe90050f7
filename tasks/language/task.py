"""Language models: how probable a text is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import batching
from tasks.data import running as running_text
from tasks.data.errors import UserError
from tasks.framework import starting, vocabularies
from tasks.framework.checkpoints import keep_lines
from tasks.framework.configuration import RunConfig
from tasks.framework.evaluating import evaluate
from tasks.framework.task import Task, Trainer
from tasks.framework.text_io import batched
from tasks.language import dynamic_evaluation, formats, neural_cache, reading
from tasks.language.configuration import LanguageConfig
from zoo import predictions
from zoo.configuration import LanguageModelConfig, RecurrentConfig
from zoo.models import LanguageModel
from zoo.models.parts import MakeStack
from zoo.predictions import ScoredText, ScoredTokens
from zoo.predictor import Predictor
from zoo.saving import LanguageModule
from zoo.text import tokens

Window = Sequence[tuple[running_text.Piece | None, int, int]]

# Texts side by side and steps at a time in scoring; neither changes a result.
_SCORED_ROWS, _SCORED_STEPS = 64, 512
# Parts in which a running text is scored between epochs: so many, of so many tokens or more.
_VALIDATED_ROWS, _VALIDATED_TOKENS = 32, 1000
# Other ways to ask a model, by the options that measure them.
_MEASURED_AFTER_TRAINING = ("dynamic_evaluation", "neural_cache")


class Language(Task[LanguageConfig]):
    """The probability of a text, word by word or character by character."""

    name = "lm"
    config = LanguageConfig
    score_name = "log_likelihood"
    texts = ("The apple and pair salad.", "The apple and pear salad.")
    signatures: ClassVar = {
        "serving_default": "perplexity",
        "tokens": "log_probabilities",
        "generate": "text",
    }
    columns = ("log_probability", "perplexity", "token_count", "unknown_count")

    def load(
        self, config: LanguageConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[str]]:
        data = config.data
        return reading.load_corpus(
            data.data,
            data.files,
            splits,
            config.training.seed,
            optional,
            data.running,
            data.text_column,
        )

    def trainer(
        self, corpus: dict[str, list[str]], config: LanguageConfig, model_dir: str
    ) -> LanguageTrainer:
        return LanguageTrainer(self, corpus, config, model_dir)

    def check_mode(self, run: RunConfig) -> None:
        for name in _MEASURED_AFTER_TRAINING:
            if name in run.given:
                raise UserError(
                    f"--{name}: expected --mode=train, which measures it in the end, of a run that "
                    f"--model_dir has finished too. Received: --mode={run.mode}"
                )

    def predict(self, model: Predictor, texts: Sequence[str]) -> list[ScoredTokens]:
        return predictions.scored(texts, model.ask("tokens", {"text": texts}))

    def rows(self, prediction: ScoredTokens) -> list[tuple]:
        return [tuple(getattr(prediction, name) for name in self.columns)]

    def predict_examples(self, model: Predictor, examples: list[str]) -> list[ScoredTokens]:
        return self.predict(model, examples)

    def answers(self, examples: list[str]) -> list[str]:
        return examples

    def length(self, example: str) -> int:
        return len(example)

    def text(self, example: str) -> str:
        return example

    def counts(self, examples: list[str]) -> dict[str, int]:
        return {"texts": len(examples), "characters": sum(map(len, examples))}

    def metrics(self, answers: list[str], predicted: list[ScoredText]) -> dict[str, float]:
        """Of all tokens together; the `<EOS>` of each text is one."""
        del answers
        total = sum(one.log_probability for one in predicted)
        count = sum(one.token_count for one in predicted)
        return {
            "perplexity": math.exp(min(-total / count, 700.0)),
            "nats_per_token": -total / count,
            "bits_per_token": -total / count / math.log(2),
            "log_likelihood": total / count,
            "unknown_rate": sum(one.unknown_count for one in predicted) / count,
        }

    def show(self, prediction: ScoredTokens, colour: bool) -> str:
        return formats.line(prediction, colour)

    def heard(self, answer: Mapping[str, Any]) -> list[str]:
        """A line for each token: the token and its log P, in nats."""
        pairs = zip(answer["tokens"], answer["log_probabilities"], strict=True)
        return [f"{token}\t{log_p:.3f}" for token, log_p in pairs]


def all_tokens(some: Sequence[str], kind: str) -> Iterator[bytes]:
    """The tokens of texts, one after the other."""
    for part in vocabularies.in_batches(some, lambda part: tokens.tokenize(part, kind).flat_values):
        yield from part.tolist()


def scorer(model: LanguageModel) -> Callable[[Sequence[running_text.Piece]], np.ndarray]:
    """From pieces of text to log P of each, in nats, window by window."""
    run = function_here(model.log_probabilities)

    def totals(pieces: Sequence[running_text.Piece]) -> np.ndarray:
        found = np.zeros(len(pieces))
        order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i].ids))
        for numbers in batched(order, _SCORED_ROWS):
            states = model.zero_states(len(numbers))
            longest = len(pieces[numbers[0]].ids)
            for start in range(0, longest, _SCORED_STEPS):
                steps = min(_SCORED_STEPS, batching.padded_length(longest - start))
                ends = [(pieces[i], min(start + steps, len(pieces[i].ids))) for i in numbers]
                window: Window = [
                    (p, start, end) if start < end else (None, 0, 0) for p, end in ends
                ]
                inputs = running_text.batch(window, steps)
                targets, before = tf.constant(inputs["targets"]), tf.constant(inputs["before"])
                p, states = run(targets, before, states)
                found[numbers] += p.numpy().sum(axis=1)
        return found

    return totals


class LanguageTrainer(Trainer[LanguageConfig]):
    """Language models on a corpus of texts."""

    def __init__(
        self, task: Language, corpus: dict[str, list[str]], config: LanguageConfig, model_dir: str
    ):
        super().__init__(task, corpus, config, model_dir)
        data, batch_size = config.data, config.training.batch_size
        for name in _MEASURED_AFTER_TRAINING:
            if getattr(config.training, name) and not data.running:
                raise UserError(f"--{name} goes with --running: it is for long texts")
        names = tokens.make_vocabulary(
            all_tokens(corpus["train"], data.tokens),
            data.vocab_size,
            data.min_count,
            data.tokens,
        )
        if self.source is not None:
            names = starting.lines(self.source, "vocabulary.txt")
        path = keep_lines(model_dir, "vocabulary.txt", names)
        self.tokens = tokens.Tokens(path, data.tokens)
        encoded = vocabularies.encode(corpus, self.tokens.ids)
        self.encoded = {split: some.each("ids") for split, some in encoded.items()}
        if data.running:
            count = sum(map(len, self.encoded["train"]))
            needed = batch_size * 2
            if count < needed:
                raise UserError(
                    f"expected {needed} tokens or more, two for each of --batch_size rows. "
                    f"Received: {count} in the training data"
                )
            self.rows = running_text.rows_of(self.encoded["train"], batch_size)
            self.window = min(data.window, max(len(p.ids) for row in self.rows for p in row))

    def counts(self, split: str) -> dict[str, int]:
        return {**super().counts(split), "tokens": sum(map(len, self.encoded[split]))}

    def model_config(self) -> LanguageModelConfig:
        return self.config.model.replace(
            vocabulary_size=self.tokens.size,
            sampled_softmax=min(self.config.model.sampled_softmax, self.tokens.size),
            rows=self.config.training.batch_size if self.config.data.running else 0,
        )

    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> LanguageModel:
        assert isinstance(config, LanguageModelConfig)
        return LanguageModel(config, make_stack)

    def epoch(self, number: int) -> batching.Batches:
        data, training, part = self.config.data, self.config.training, self.part
        answers = np.zeros([part.rows], np.int32)
        if data.running:
            random = np.random.default_rng([training.seed, number])
            cut = running_text.windows(self.rows, self.window, random)
            groups = [(window,) for window in cut]

            def next_window(window: Window) -> tuple[dict[str, np.ndarray], np.ndarray]:
                return running_text.batch(part.of_rows(window), self.window), answers

            return batching.Batches(groups, next_window)
        ids = self.encoded["train"]
        lengths = np.minimum([len(one) for one in ids], data.max_length)
        groups = batching.shuffled(lengths, training.batch_size, training.seed, number)

        def sentences(rows: list[int], padded: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
            here = part.of_rows(rows)
            none: Window = [(None, 0, 0)] * (part.rows - len(here))
            some: Window = [(running_text.Piece(ids[i], 0), 0, int(lengths[i])) for i in here]
            return running_text.batch([*some, *none], padded), answers

        return batching.Batches(groups, sentences)

    def predictor(self, model: LanguageModel) -> Callable[[str], list[ScoredText]]:
        totals = scorer(model)

        def predict(split: str) -> list[ScoredText]:
            """Every text from its beginning to its end, the states carried on."""
            return self._scored(
                split, totals([running_text.Piece(i, 0) for i in self.encoded[split]])
            )

        return predict

    def _scored(self, split: str, log_probabilities: Iterable[float]) -> list[ScoredText]:
        rows = zip(self.corpus[split], log_probabilities, self.encoded[split], strict=True)
        return [
            ScoredText(whole, float(p), len(ids), int(np.sum(ids == tokens.UNKNOWN)))
            for whole, p, ids in rows
        ]

    def scorer(
        self, model: LanguageModel, predict: Callable[[str], list[ScoredText]]
    ) -> Callable[[], float]:
        """Between epochs a long text is scored in parts side by side, which is much faster and a
        little worse: parts start without the state. In the end, `predict` scores all of it."""
        totals = scorer(model)
        count = sum(map(len, self.encoded["validation"]))
        parts = min(_VALIDATED_ROWS, max(1, count // _VALIDATED_TOKENS))
        rows = running_text.rows_of(self.encoded["validation"], parts)
        pieces = [piece for row in rows for piece in row]

        def score() -> float:
            return float(totals(pieces).sum()) / count

        return score

    def further_figures(self, model: LanguageModel) -> dict[str, Any]:
        training, found = self.config.training, {}
        if training.dynamic_evaluation:
            found["dynamic_evaluation"] = self._learning_on(model, training.dynamic_evaluation)
        if training.neural_cache:
            found["neural_cache"] = self._looking_back(model, training.neural_cache)
        return found

    def _learning_on(self, model: LanguageModel, rate: float) -> dict[str, Any]:
        window, clip_norm = self.config.data.window, self.config.training.clip_norm
        log_p = dynamic_evaluation.scorer(model, window, rate, clip_norm)
        scores = {split: [log_p(ids) for ids in texts] for split, texts in self._measured_on()}
        measured = self._metrics("dynamic evaluation", scores)
        return {"learning_rate": rate, "window": window, **measured}

    def _looking_back(self, model: LanguageModel, size: int) -> dict[str, Any]:
        """θ and λ are chosen on the validation part."""
        read_text = neural_cache.reader(model)
        read = {split: [read_text(ids) for ids in texts] for split, texts in self._measured_on()}
        cache = neural_cache.fitted(read["validation"], size)
        print(f"\nneural cache: θ {cache.theta:.3g}, λ {cache.share:g}")
        scores = {
            split: [float(np.log(cache.probabilities(one)).sum()) for one in texts]
            for split, texts in read.items()
        }
        measured = self._metrics("neural cache", scores)
        return {"size": size, "theta": cache.theta, "lambda": cache.share, **measured}

    def _measured_on(self) -> list[tuple[str, list[np.ndarray]]]:
        """The parts that are measured with, as ids of their texts."""
        return [
            (split, self.encoded[split])
            for split in ("validation", "test")
            if split in self.encoded
        ]

    def _metrics(self, title: str, scores: Mapping[str, list[float]]) -> dict[str, dict]:
        """Metrics of parts, of another log P of each text."""
        measured = {}
        for split, log_probabilities in scores.items():
            predicted = self._scored(split, log_probabilities)
            measured[split] = evaluate(self.task, predicted, predicted, f"{split}, {title}", None)
        return measured

    def module(self, model: LanguageModel, weights: str = "float32") -> LanguageModule:
        return LanguageModule(model, self.tokens, weights)
