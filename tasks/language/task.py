"""Language models: the road of `lm.py`, from texts to a SavedModel that scores and draws."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import flags as absl_flags

from tasks.data import batching as batches
from tasks.data import vocabularies as words
from tasks.experiments import agreement
from tasks.framework import fitting as train
from tasks.framework import flags
from tasks.framework import task as program
from tasks.language import dynamic_evaluation as dynamic
from tasks.language import generating as generation
from tasks.language import reading as texts
from tasks.language import running_text as streams
from zoo import text
from zoo.models.language_model import LanguageModel
from zoo.saving import LanguageModule, export
from zoo.text import tokens

TOKENS = absl_flags.DEFINE_enum(
    "tokens",
    "words",
    tokens.KINDS,
    "What a token is: a character; a word or a punctuation mark; or what white space separates.",
)
RUNNING = absl_flags.DEFINE_bool(
    "running", False, "Running text, whose states are carried on, in place of a text a line."
)
WINDOW = absl_flags.DEFINE_integer(
    "window", 100, "Steps through which running text is back-propagated.", lower_bound=2
)
TIED = absl_flags.DEFINE_bool("tied", True, "Output weights are the embedding.")
WEIGHT_DROPOUT = absl_flags.DEFINE_float(
    "weight_dropout", 0.0, "Share of recurrent weights dropped.", lower_bound=0, upper_bound=0.99
)
SAMPLED_SOFTMAX = absl_flags.DEFINE_integer(
    "sampled_softmax",
    0,
    "Compare with so many words a step in training; 0: with all.",
    lower_bound=0,
)
DYNAMIC_EVALUATION = absl_flags.DEFINE_float(
    "dynamic_evaluation",
    0.0,
    "Evaluate once more with a model that goes on learning from each --window of text that it has "
    "scored, at this learning rate; 0: not.",
    lower_bound=0,
)
# Texts side by side and steps at a time in scoring; neither changes a result.
_SCORED_ROWS, _SCORED_STEPS = 64, 512
# Parts in which a running text is scored between epochs.
_VALIDATED_ROWS = 32


@dataclasses.dataclass(frozen=True)
class Scored:
    """log P of a text with its `<EOS>`, in nats, and its tokens."""

    text: str
    log_probability: float
    token_count: int
    unknown_count: int

    @property
    def perplexity(self) -> float:
        return math.exp(min(700.0, -self.log_probability / self.token_count))


class LanguageTask(program.Task):
    """A task whose answer is the probability of a text."""

    score_name = "log_likelihood"
    flag_modules = ("tasks.language.task", "tasks.language.generating", "tasks.data.vocabularies")
    own_flags = (
        *("tokens", "running", "window", "tied", "weight_dropout", "sampled_softmax"),
        *("text_column", *words.FLAGS),
    )
    defaults = {  # noqa: RUF012
        "bidirectional": False,
        "units": 256,
        "embedding_dim": 128,
        "dropout": 0.2,
        "word_dropout": 0.0,
        "min_count": 1,
        "vocab_size": 10_000,
        "epochs": 8,
        "patience": 3,
    }

    @property
    def modes(self):
        return {
            "score": program.predict_mode,
            "generate": generation.generate_mode,
            "agreement": agreement.agreement_mode,
        }

    @property
    def formats(self):
        return {".jsonl": json_line}

    def load(self, splits, optional):
        return texts.load_corpus(
            flags.DATA.value,
            flags.files(),
            splits,
            flags.SEED.value,
            optional,
            RUNNING.value,
            flags.TEXT_COLUMN.value,
        )

    def trainer(self, corpus, model_dir):
        return LanguageTrainer(self, corpus, model_dir)

    def served(self, folder):
        return ServedLanguage(folder)

    def answers(self, examples):
        return examples

    def metrics(self, answers, predicted):
        """Of all tokens together; the `<EOS>` of each text is one."""
        total = sum(one.log_probability for one in predicted)
        count = sum(one.token_count for one in predicted)
        return {
            "perplexity": math.exp(min(700.0, -total / count)),
            "nats_per_token": -total / count,
            "bits_per_token": -total / count / math.log(2),
            "log_likelihood": total / count,
            "unknown_rate": sum(one.unknown_count for one in predicted) / count,
        }

    def draw(self, answers, predicted, folder, split):
        """Learning curves say it all."""

    def counts(self, examples):
        return {"texts": len(examples), "characters": sum(map(len, examples))}

    def show(self, prediction, colour):
        return prediction.line(colour) if isinstance(prediction, ScoredTokens) else str(prediction)


@dataclasses.dataclass(frozen=True)
class ScoredTokens(Scored):
    """With log P of each token."""

    tokens: list[str]
    log_probabilities: list[float]

    def line(self, colour: bool) -> str:
        pairs = zip(self.tokens, self.log_probabilities, strict=True)
        each = " ".join(f"{token}({math.exp(p):.2g})" for token, p in pairs)
        head = f"log P {self.log_probability:.3f}, perplexity {self.perplexity:.2f}"
        return f"\033[1m{head}\033[0m  {each}" if colour else f"{head}  {each}"


def all_tokens(some: Sequence[str], kind: str) -> Iterator[bytes]:
    """The tokens of texts, one after the other."""
    for part in words.in_batches(some, lambda part: tokens.tokenize(part, kind).flat_values):
        yield from part.tolist()


def encode(some: Sequence[str], reader: tokens.Tokens) -> list[np.ndarray]:
    """The ids of texts, `<EOS>` at the end of each."""

    def ids(part):
        found = reader.ids(part)
        return found.flat_values, found.row_lengths()

    found: list[np.ndarray] = []
    for values, lengths in words.in_batches(some, ids):
        found += np.split(values, np.cumsum(lengths)[:-1])
    return found


def scorer(model: LanguageModel) -> Callable[[Sequence[streams.Piece]], np.ndarray]:
    """From pieces of text to log P of each, in nats, window by window."""
    run = tf.function(model.log_probabilities, autograph=False, reduce_retracing=True)

    def totals(pieces: Sequence[streams.Piece]) -> np.ndarray:
        found = np.zeros(len(pieces))
        order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i].ids))
        for numbers in program.batched(order, _SCORED_ROWS):
            states = model.zero_states(len(numbers))
            longest = len(pieces[numbers[0]].ids)
            for start in range(0, longest, _SCORED_STEPS):
                steps = min(_SCORED_STEPS, batches.padded_length(longest - start))
                ends = [(pieces[i], min(start + steps, len(pieces[i].ids))) for i in numbers]
                window = [(p, start, end) if start < end else (None, 0, 0) for p, end in ends]
                inputs = streams.batch(window, steps)
                targets, before = tf.constant(inputs["targets"]), tf.constant(inputs["before"])
                p, states = run(targets, before, states)
                found[numbers] += p.numpy().sum(axis=1)
        return found

    return totals


class LanguageTrainer(program.Trainer):
    """Language models on a corpus of texts."""

    def __init__(self, task, corpus, model_dir):
        super().__init__(task, corpus, model_dir)
        if flags.BIDIRECTIONAL.value:
            raise flags.UserError(
                "--bidirectional: a language model reads forward only: what is yet to come is what "
                "it predicts. Received: --bidirectional"
            )
        if words.EMBEDDINGS_FILE.value:
            raise flags.UserError(
                "--embeddings_file goes with taggers and classifiers; a language model trains its "
                f"embedding. Received: {words.EMBEDDINGS_FILE.value!r}"
            )
        if DYNAMIC_EVALUATION.value and not RUNNING.value:
            raise flags.UserError("--dynamic_evaluation goes with --running: it is for long texts")
        if flags.CELL.value == "none":
            raise flags.UserError("--cell: expected a recurrent layer. Received: 'none'")
        names = tokens.make_vocabulary(
            all_tokens(corpus["train"], TOKENS.value),
            flags.VOCAB_SIZE.value,
            words.MIN_COUNT.value,
            TOKENS.value,
        )
        path = text.write_lines(os.path.join(model_dir, "vocabulary.txt"), names)
        self.tokens = tokens.Tokens(path, TOKENS.value)
        self.encoded = {split: encode(some, self.tokens) for split, some in corpus.items()}
        if RUNNING.value:
            count = sum(map(len, self.encoded["train"]))
            needed = flags.BATCH_SIZE.value * 2
            if count < needed:
                raise flags.UserError(
                    f"expected {needed} tokens or more, two for each of --batch_size rows. "
                    f"Received: {count} in the training data"
                )
            self.rows = streams.rows_of(self.encoded["train"], flags.BATCH_SIZE.value)

    def build(self, **changes):
        keras.utils.set_random_seed(flags.SEED.value)
        arguments = {
            "cell": flags.CELL.value,
            "units": flags.UNITS.value,
            "depth": flags.DEPTH.value,
            "embedding_dim": flags.EMBEDDING_DIM.value,
            "tied": TIED.value,
            "dropout": flags.DROPOUT.value,
            "recurrent_dropout": flags.RECURRENT_DROPOUT.value,
            "weight_dropout": WEIGHT_DROPOUT.value,
            "word_dropout": words.WORD_DROPOUT.value,
            "samples": min(SAMPLED_SOFTMAX.value, self.tokens.size),
            "rows": flags.BATCH_SIZE.value if RUNNING.value else 0,
            "jit": "auto" if flags.JIT.value else False,
        }
        model = LanguageModel(self.tokens.size, **arguments | changes)
        size = flags.BATCH_SIZE.value
        train.compile_model(
            model,
            {
                "targets": np.zeros([size, 2], np.int32),
                "before": np.zeros([size], np.int32),
                "fresh": np.ones([size], bool),
            },
        )
        return model

    def epoch(self, number):
        answers = np.zeros([flags.BATCH_SIZE.value], np.int32)
        if RUNNING.value:
            random = np.random.default_rng([flags.SEED.value, number])
            cut = streams.windows(self.rows, WINDOW.value, random)
            groups = [(window,) for window in cut]

            def make(window):
                return streams.batch(window, WINDOW.value), answers

        else:
            data = self.encoded["train"]
            lengths = np.minimum([len(ids) for ids in data], flags.MAX_LENGTH.value)
            groups = batches.shuffled(lengths, flags.BATCH_SIZE.value, flags.SEED.value, number)

            def make(rows, padded):
                window = [(streams.Piece(data[i], 0), 0, int(lengths[i])) for i in rows]
                window += [(None, 0, 0)] * (flags.BATCH_SIZE.value - len(rows))
                return streams.batch(window, padded), answers

        return batches.as_dataset(groups, make), len(groups)

    def predictor(self, model):
        totals = scorer(model)

        def predict(split: str) -> list[Scored]:
            """Every text from its beginning to its end, the states carried on."""
            return self._scored(split, totals([streams.Piece(i, 0) for i in self.encoded[split]]))

        return predict

    def _scored(self, split: str, log_probabilities: Iterable[float]) -> list[Scored]:
        rows = zip(self.corpus[split], log_probabilities, self.encoded[split], strict=True)
        return [
            Scored(whole, float(p), len(ids), int(np.sum(ids == tokens.UNKNOWN)))
            for whole, p, ids in rows
        ]

    def fit(self, model, predict, model_dir):
        """As for all tasks, but between epochs a long text is scored in parts side by side, which
        is much faster and a little worse: parts start without the state. In the end, `predict`
        scores all of it."""
        totals = scorer(model)
        rows = streams.rows_of(self.encoded["validation"], _VALIDATED_ROWS)
        pieces = [piece for row in rows for piece in row]
        count = sum(len(piece.ids) for piece in pieces)

        def score():
            return float(totals(pieces).sum()) / count

        return train.fit(model, self.epoch, score, self.task.score_name, model_dir)

    def further_figures(self, model):
        rate = DYNAMIC_EVALUATION.value
        if not rate:
            return {}
        found = {"learning_rate": rate, "window": WINDOW.value}
        log_probability = dynamic.scorer(model, WINDOW.value, rate, flags.CLIP_NORM.value)
        for split in ("validation", "test"):
            if split in self.corpus:
                predicted = self._scored(split, map(log_probability, self.encoded[split]))
                title = f"{split}, dynamic evaluation"
                found[split] = program.evaluate(self.task, predicted, predicted, title, None)
        return {"dynamic_evaluation": found}

    def save(self, model, export_dir):
        module = LanguageModule(model, self.tokens, flags.WEIGHTS.value)
        signatures = {
            name: getattr(module, name) for name in ("serving_default", "tokens", "generate")
        }
        samples = tf.constant([*self.task.texts, ""])
        request = generation.request(["The", ""], max_length=20)
        warmup = [
            ("serving_default", {"text": samples}),
            ("tokens", {"text": samples}),
            ("generate", request),
        ]
        return export.save(module, signatures, export_dir, warmup)


class ServedLanguage(program.Served):
    """A language model's SavedModel."""

    def __init__(self, folder: str):
        super().__init__(folder, "tokens", "generate")
        if "perplexity" not in self.model.signatures["serving_default"].structured_outputs:
            raise flags.UserError(f"--model: expected a language model. Received: {folder!r}")

    def predict(self, texts):
        out = self.model.signatures["tokens"](text=tf.constant(list(texts), tf.string))
        out = {name: value.numpy() for name, value in out.items()}
        found = []
        for i, n in enumerate(out["lengths"]):
            names = [name.decode("utf-8", "replace") for name in out["tokens"][i, :n]]
            p = out["log_probabilities"][i, :n].astype(np.float64)
            unknown = names.count(text.UNKNOWN_WORD)
            found.append(ScoredTokens(texts[i], float(p.sum()), int(n), unknown, names, p.tolist()))
        return found

    def evaluate(self, examples):
        return self.predict(examples)

    def check(self, answers):
        """Any text has a probability."""


def json_line(one: ScoredTokens) -> str:
    return json.dumps({**dataclasses.asdict(one), "perplexity": one.perplexity}) + "\n"
