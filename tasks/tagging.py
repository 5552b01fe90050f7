"""The road of all tagging tasks, from a corpus to predictions of a SavedModel."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import app, logging
from absl import flags as absl_flags

from tasks import figures, flags, readers, train
from tasks.machine import machine
from zoo import export, text
from zoo.models import Tagger
from zoo.tags import Sentence, entities, forbidden_transitions

CHARACTER_DIM = absl_flags.DEFINE_integer(
    "character_dim", 32, "Units of each direction over the bytes of a word.", lower_bound=1
)
WORD_DROPOUT = absl_flags.DEFINE_float(
    "word_dropout",
    0.1,
    "Share of words read as <UNK> in training.",
    lower_bound=0,
    upper_bound=0.99,
)
MIN_COUNT = absl_flags.DEFINE_integer(
    "min_count", 2, "Rarer words of the training corpus are <UNK>.", lower_bound=1
)
CRF = absl_flags.DEFINE_bool("crf", True, "CRF over whole sentences, or a softmax for each word.")
EMBEDDINGS_FILE = absl_flags.DEFINE_string(
    "embeddings_file", None, "Word vectors as text, GloVe or word2vec; sets --embedding_dim."
)
OWN_FLAGS = ("character_dim", "word_dropout", "min_count", "crf", "embeddings_file")

# Batches are padded to these lengths, so that XLA compiles for few.
LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024)


@dataclasses.dataclass(frozen=True)
class Task:
    """What one tagging task has of its own.

    Attributes:
        name: `"ner"` or `"pos"`.
        score_name: the validation score.
        metrics: from the gold and the predicted tags of sentences to named figures, of which one
            is `score_name`.
        examples: sentences to tag after training.
        presets: recipes by name.
        after_training: called with the corpus and a function that trains another model.
    """

    name: str
    score_name: str
    metrics: Callable[[list, list], dict]
    examples: Sequence[str]
    presets: dict[str, dict]
    after_training: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Sentences as numbers: all tokens in one array each, and where sentences begin and end."""

    ends: np.ndarray
    words: np.ndarray
    shapes: np.ndarray
    bytes: np.ndarray
    tags: np.ndarray

    @classmethod
    def of(
        cls, sentences: Sequence[Sentence], vocabulary: text.Vocabulary, tag_ids: dict[str, int]
    ) -> Encoded:
        tokens = tf.constant([token for sentence in sentences for token in sentence.tokens])
        return cls(
            np.cumsum([len(sentence.tokens) for sentence in sentences]),
            vocabulary(tokens).numpy(),
            text.word_shapes(tokens).numpy(),
            text.word_bytes(tokens).numpy(),
            np.array([tag_ids.get(tag, 0) for s in sentences for tag in s.tags], np.int32),
        )

    def batches(
        self, batch_size: int, order: np.ndarray, max_length: int | None
    ) -> Iterator[tuple[list[int], dict, np.ndarray]]:
        """Batches of sentences of like length: their numbers, inputs and tags.

        All batches have `batch_size` rows, the last ones of each length with empty rows, and one of
        few lengths: each new shape costs a compilation.
        """
        starts = np.concatenate([[0], self.ends[:-1]])
        lengths = self.ends - starts
        if max_length:
            lengths = np.minimum(lengths, max_length)
        buckets: dict[int, list[int]] = {}
        for number in order:
            bucket = _padded(lengths[number])
            rows = buckets.setdefault(bucket, [])
            rows.append(int(number))
            if len(rows) == batch_size:
                yield self._batch(buckets.pop(bucket), starts, lengths, bucket, batch_size)
        for bucket, rows in buckets.items():
            yield self._batch(rows, starts, lengths, bucket, batch_size)

    def _batch(self, rows, starts, lengths, bucket, batch_size):
        inputs = {
            "words": np.zeros([batch_size, bucket], np.int32),
            "shapes": np.zeros([batch_size, bucket], np.int32),
            "bytes": np.zeros([batch_size, bucket, text.WORD_BYTES], np.uint8),
        }
        tags = np.zeros([batch_size, bucket], np.int32)
        for row, number in enumerate(rows):
            here = slice(starts[number], starts[number] + lengths[number])
            for name, array in inputs.items():
                array[row, : lengths[number]] = getattr(self, name)[here]
            tags[row, : lengths[number]] = self.tags[here]
        return rows, inputs, tags


def _padded(length: int) -> int:
    return next((bucket for bucket in LENGTHS if length <= bucket), -(-length // 1024) * 1024)


def epoch_batches(data: Encoded, batch_size: int, max_length: int, seed: int, epoch: int):
    """The batches of an epoch as `tf.data`, and their count.

    Their order follows from seed and epoch alone.
    """
    random = np.random.default_rng([seed, epoch])
    batches = list(data.batches(batch_size, random.permutation(len(data.ends)), max_length))
    random.shuffle(batches)

    def generate():
        for _, inputs, tags in batches:
            yield inputs, tags

    signature = (
        {
            "words": tf.TensorSpec([None, None], tf.int32),
            "shapes": tf.TensorSpec([None, None], tf.int32),
            "bytes": tf.TensorSpec([None, None, text.WORD_BYTES], tf.uint8),
        },
        tf.TensorSpec([None, None], tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)
    return dataset, len(batches)


# --- Training ------------------------------------------------------------------------------------


class Trainer:
    """A corpus in numbers, and models trained on it."""

    def __init__(self, task: Task, corpus: dict[str, list[Sentence]], model_dir: str):
        self.task, self.corpus = task, corpus
        words = [token for sentence in corpus["train"] for token in sentence.tokens]
        counts = text.count_words(words)
        vocabulary = text.most_common(counts, flags.VOCAB_SIZE.value, MIN_COUNT.value)
        self.vectors = None
        if EMBEDDINGS_FILE.value:
            vocabulary, self.vectors = read_embeddings(EMBEDDINGS_FILE.value, vocabulary)
        self.tag_names = sorted({tag for s in corpus["train"] for tag in s.tags})
        if "O" in self.tag_names:  # so that padding, 0, is no entity
            self.tag_names.remove("O")
            self.tag_names.insert(0, "O")
        self.tags_file = text.write_lines(os.path.join(model_dir, "tags.txt"), self.tag_names)
        self.vocabulary = text.Vocabulary(
            text.write_lines(os.path.join(model_dir, "vocabulary.txt"), vocabulary)
        )
        tag_ids = {tag: i for i, tag in enumerate(self.tag_names)}
        self.encoded = {
            split: Encoded.of(sentences, self.vocabulary, tag_ids)
            for split, sentences in corpus.items()
        }
        longest = flags.MAX_LENGTH.value
        cut = sum(len(sentence.tokens) > longest for sentence in corpus["train"])
        if cut:
            logging.warning("%d training sentences are cut to --max_length=%d.", cut, longest)

    def build(self, **changes) -> Tagger:
        keras.utils.set_random_seed(flags.SEED.value)
        pairs, starts, ends = forbidden_transitions(self.tag_names)
        arguments = {
            "cell": flags.CELL.value,
            "units": flags.UNITS.value,
            "depth": flags.DEPTH.value,
            "bidirectional": flags.BIDIRECTIONAL.value,
            "embedding_dim": flags.EMBEDDING_DIM.value,
            "character_dim": CHARACTER_DIM.value,
            "dropout": flags.DROPOUT.value,
            "recurrent_dropout": flags.RECURRENT_DROPOUT.value,
            "word_dropout": WORD_DROPOUT.value,
            "crf": CRF.value,
            "jit": "auto" if flags.JIT.value else False,
        }
        if self.vectors is not None:
            arguments |= {"embeddings": self.vectors, "embedding_dim": self.vectors.shape[1]}
        model = Tagger(
            self.vocabulary.size,
            len(self.tag_names),
            forbidden=pairs,
            forbidden_start=starts,
            forbidden_end=ends,
            **arguments | changes,
        )
        # The recurrent layers compile their loops themselves.
        model.compile(train.make_optimizer(), jit_compile=False)
        _, inputs, _ = next(self.encoded["train"].batches(2, np.arange(1), None))
        model({name: tf.constant(value) for name, value in inputs.items()})
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(self, model: Tagger, model_dir: str) -> list[dict]:
        def batches(epoch):
            return epoch_batches(
                self.encoded["train"],
                flags.BATCH_SIZE.value,
                flags.MAX_LENGTH.value,
                flags.SEED.value,
                epoch,
            )

        decode = self.decoder(model)

        def score():
            gold = [sentence.tags for sentence in self.corpus["validation"]]
            predicted = decode(self.encoded["validation"])
            return self.task.metrics(gold, predicted)[self.task.score_name]

        return train.fit(model, batches, score, self.task.score_name, model_dir)

    def decoder(self, model: Tagger) -> Callable[[Encoded], list[list[str]]]:
        decode = tf.function(model.decode, autograph=False, reduce_retracing=True)

        def predict(data: Encoded) -> list[list[str]]:
            tags: list = [None] * len(data.ends)
            lengths = np.diff(data.ends, prepend=0)
            for rows, inputs, _ in data.batches(64, np.arange(len(tags)), None):
                best = decode({name: tf.constant(v) for name, v in inputs.items()})[0].numpy()
                for row, number in enumerate(rows):
                    tags[number] = [self.tag_names[tag] for tag in best[row, : lengths[number]]]
            return tags

        return predict

    def export(self, model: Tagger, export_dir: str) -> str:
        module = export.TaggerModule(model, self.vocabulary, self.tags_file)
        samples = tf.constant([*self.task.examples, ""])
        words = text.tokenize(samples)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        warmup = [
            ("serving_default", {"text": samples}),
            ("tokens", {"tokens": words.to_tensor(), "lengths": lengths}),
        ]
        signatures = {"serving_default": module.serving_default, "tokens": module.tokens}
        try:
            return export.save(module, signatures, export_dir, warmup)
        except OSError as error:
            raise flags.UserError(
                f"--export_dir: cannot write to {export_dir!r}: {error.strerror}"
            ) from None


def read_embeddings(path: str, words: list[str]) -> tuple[list[str], np.ndarray]:
    """Vectors of a text file, GloVe's or word2vec's, for the words that it has of all that it has.

    Returns:
        The vocabulary with the file's words added, and vectors `[words + 1, width]`; words that the
        file lacks have small random vectors.
    """
    vectors: dict[str, np.ndarray] = {}
    width = None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                word, *values = line.rstrip().split(" ")
                if number == 1 and len(values) == 1:
                    continue  # word2vec's first line counts words and width
                width = width or len(values)
                try:
                    vector = np.array(values, np.float32)
                except ValueError:
                    vector = np.zeros(0)
                if len(vector) != width or not width:
                    raise flags.UserError(
                        f"{path}:{number}: expected a word and {width} numbers, found "
                        f"{line[:60].rstrip()!r}"
                    )
                vectors.setdefault(text.normalize(tf.constant(word)).numpy().decode(), vector)
    except OSError as error:
        raise flags.UserError(f"--embeddings_file: {path}: {error.strerror}") from None
    known = set(words)
    words = [*words, *(word for word in vectors if word not in known)]
    words = words[: max(flags.VOCAB_SIZE.value, len(known))]
    random = np.random.default_rng(flags.SEED.value).normal(0, 0.1, (len(words) + 1, width))
    for i, word in enumerate(words, start=1):
        if word in vectors:
            random[i] = vectors[word]
    return words, random.astype(np.float32)


def train_mode(task: Task) -> None:
    start = time.perf_counter()
    config = {"task": task.name, **flags.recipe(*OWN_FLAGS)}
    model_dir = flags.MODEL_DIR.value or tempfile.mkdtemp(prefix=f"{task.name}-")
    corpus = load(task, ["train", "validation", "test"])
    train.claim_folder(model_dir, config)
    if flags.MIXED_PRECISION.value != "float32":
        keras.mixed_precision.set_global_policy(flags.MIXED_PRECISION.value)
    counts = {split: len(sentences) for split, sentences in corpus.items()}
    print("Sentences:", ", ".join(f"{split} {n:,}" for split, n in counts.items()), flush=True)

    trainer = Trainer(task, corpus, model_dir)
    model = trainer.build()
    history = trainer.fit(model, model_dir)
    results = {
        "task": task.name,
        "command": f"python -m tasks.{task.name} " + " ".join(sys.argv[1:]),
        "config": config,
        "sentences": counts,
        "tokens": {split: sum(len(s.tokens) for s in corpus[split]) for split in corpus},
        "parameters": model.count_params(),
        "epochs": history,
        "machine": machine(),
    }
    predict = trainer.decoder(model)
    for split in ("validation", "test"):
        if split in corpus:
            gold = [sentence.tags for sentence in corpus[split]]
            predicted = predict(trainer.encoded[split])
            results[split] = task.metrics(gold, predicted)
            show_metrics(split, results[split])
            figures.confusion_matrix(
                gold, predicted, os.path.join(model_dir, f"confusion_{split}.png")
            )
    figures.learning_curves(history, os.path.join(model_dir, "learning_curves.png"))
    if task.after_training and flags.DATA.value == "demo":
        results |= task.after_training(trainer, predict)
    results["wall_seconds"] = time.perf_counter() - start
    train.write_json(os.path.join(model_dir, "results.json"), results)
    version = trainer.export(model, export_folder(task))
    print(f"Saved: {version}   Logs, figures, results.json: {model_dir}\n")
    served = Served(version)
    for sentence in served.tag(task.examples):
        print(bracketed(sentence))


def export_folder(task: Task) -> str:
    return flags.EXPORT_DIR.value or os.path.join(flags.SAVED_MODELS, task.name)


def load(task: Task, splits: list[str]) -> dict[str, list[Sentence]]:
    files = {
        "train": flags.TRAIN_FILE.value,
        "validation": flags.VALID_FILE.value,
        "test": flags.TEST_FILE.value,
    }
    if flags.DATA.value != "files":
        for split, path in files.items():
            if path:
                raise flags.UserError(
                    f"a {split} file goes with --data=files. Received: --data={flags.DATA.value}"
                )
    elif "test" in splits and len(splits) > 1 and not files["test"]:
        splits = [split for split in splits if split != "test"]
    return readers.load_corpus(flags.DATA.value, task.name, files, splits, flags.SEED.value)


def show_metrics(split: str, metrics: dict) -> None:
    print(f"\n{split}:")
    for name, value in metrics.items():
        if isinstance(value, dict):
            for key, figures_ in value.items():
                row = ", ".join(f"{n} {v:.4g}" for n, v in figures_.items())
                print(f"  {key:12s} {row}")
        else:
            print(f"  {name:32s} {value:.4f}")


# --- A SavedModel --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class TaggedText:
    tokens: list[str]
    tags: list[str]
    confidence: list[float]


class Served:
    """A SavedModel, run as a server would run it."""

    def __init__(self, folder: str):
        level = logging.get_verbosity()
        try:
            # Not that gradients were left out of the SavedModel; nobody trains it.
            logging.set_verbosity(logging.ERROR)
            self.model = tf.saved_model.load(folder)
        except (OSError, ValueError) as error:
            raise flags.UserError(f"--model: cannot load {folder!r}: {error}") from None
        finally:
            logging.set_verbosity(level)
        for name in ("serving_default", "tokens"):
            if name not in self.model.signatures:
                raise flags.UserError(f"--model: {folder!r} is no tagger: no signature {name!r}")
        with open(self.model.tags.asset_path.numpy(), encoding="utf-8") as file:
            self.tag_names = file.read().splitlines()

    def tag(self, texts: Sequence[str]) -> list[TaggedText]:
        out = self.model.signatures["serving_default"](text=tf.constant(list(texts), tf.string))
        return self._sentences(out)

    def tag_tokens(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        words = tf.ragged.constant([list(s) for s in sentences], dtype=tf.string, ragged_rank=1)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        run = self.model.signatures["tokens"]
        return self._sentences(run(tokens=words.to_tensor(), lengths=lengths))

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


def evaluate_mode(task: Task) -> None:
    if not flags.MODEL.value:
        raise flags.UserError("--mode=evaluate needs --model, a SavedModel or its name.")
    served = Served(flags.find_model(flags.MODEL.value))
    (sentences,) = load(task, ["test"]).values()
    unknown = {tag for s in sentences for tag in s.tags} - set(served.tag_names)
    if unknown:
        raise flags.UserError(
            f"the test data has tags that the model does not know: {sorted(unknown)}. "
            f"The model's: {served.tag_names}"
        )
    start = time.perf_counter()
    order = np.argsort([len(s.tokens) for s in sentences], kind="stable")
    predicted: list = [None] * len(sentences)
    for i in range(0, len(order), 64):
        numbers = order[i : i + 64]
        tagged = served.tag_tokens([sentences[number].tokens for number in numbers])
        for number, one in zip(numbers, tagged, strict=True):
            predicted[number] = one.tags
    seconds = time.perf_counter() - start
    metrics = task.metrics([s.tags for s in sentences], predicted)
    show_metrics("test", metrics)
    print(f"  {len(sentences) / seconds:.0f} sentences/s")


def predict_mode(task: Task) -> None:
    if not flags.MODEL.value:
        raise flags.UserError("--mode=predict needs --model, a SavedModel or its name.")
    if flags.TEXT.value and flags.INPUT_FILE.value:
        raise flags.UserError("give --text or --input_file, not both.")
    served = Served(flags.find_model(flags.MODEL.value))
    with open_texts() as lines:
        tagged = (one for batch in batched(lines, 64) for one in served.tag(batch))
        path = flags.OUTPUT_FILE.value
        if path is None:
            for one in tagged:
                print(coloured(one) if os.isatty(1) else bracketed(one), flush=True)
            return
        as_text = conll if path.endswith(".conll") else json_line

        def write(temporary):
            with open(temporary, "w", encoding="utf-8") as file:
                for number, one in enumerate(tagged, start=1):
                    file.write(as_text(one))
                    if number % 10_000 == 0:
                        logging.info("%d texts", number)

        try:
            train.replace_file(path, write)
        except OSError as error:
            raise flags.UserError(f"--output_file: {path}: {error.strerror}") from None


class open_texts:  # noqa: N801 - reads as a function
    """The texts to predict for: of --text, a file, or standard input."""

    def __enter__(self) -> Iterable[str]:
        self.file = None
        if flags.TEXT.value:
            return flags.TEXT.value
        if flags.INPUT_FILE.value:
            try:
                self.file = open(flags.INPUT_FILE.value, encoding="utf-8", errors="replace")
            except OSError as error:
                raise flags.UserError(
                    f"--input_file: {flags.INPUT_FILE.value}: {error.strerror}"
                ) from None
        return (line.rstrip("\n") for line in self.file or sys.stdin)

    def __exit__(self, *_) -> None:
        if self.file:
            self.file.close()


def batched(items: Iterable, size: int) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size or (items is not flags.TEXT.value and os.isatty(0)):
            yield batch
            batch = []
    if batch:
        yield batch


def pieces(one: TaggedText) -> Iterator[tuple[str, str]]:
    """Entities, (words, type), and the words between them, (word, "")."""
    if not any(tag[:2] in ("B-", "I-") for tag in one.tags):
        named = (
            [] if set(one.tags) <= {"O"} else [(tag, i, i + 1) for i, tag in enumerate(one.tags)]
        )
    else:
        named = entities(one.tags)
    position = 0
    for kind, start, end in named:
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
    return (
        "".join(f"{token}\t{tag}\n" for token, tag in zip(one.tokens, one.tags, strict=True)) + "\n"
    )


def json_line(one: TaggedText) -> str:
    return json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"


def export_mode(task: Task) -> None:
    model_dir = flags.MODEL_DIR.value
    if not model_dir or not os.path.exists(os.path.join(model_dir, train.BEST)):
        raise flags.UserError(
            "--mode=export needs --model_dir, a folder with a trained model. "
            f"Received: {model_dir!r}"
        )
    train.claim_folder(model_dir, {"task": task.name, **flags.recipe(*OWN_FLAGS)})
    trainer = Trainer(task, load(task, ["train", "validation"]), model_dir)
    model = trainer.build()
    train.restore_best(model, model_dir)
    print(f"Saved: {trainer.export(model, export_folder(task))}")


def run(task: Task) -> None:
    """Runs the program of a task; what the user can put right ends in one line and exit code 1."""

    def main(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise flags.UserError(f"unexpected arguments: {argv[1:]}")
            flags.apply_preset(task.presets)
            modes = {
                "train": train_mode,
                "evaluate": evaluate_mode,
                "predict": predict_mode,
                "export": export_mode,
            }
            modes[flags.MODE.value](task)
        except (flags.UserError, readers.DataError) as error:
            print(f"{task.name}: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print(f"\n{task.name}: stopped; the same command resumes it.", file=sys.stderr)
            sys.exit(130)

    logging.set_verbosity(logging.WARNING)
    logging.set_stderrthreshold("warning")
    app.run(main)
