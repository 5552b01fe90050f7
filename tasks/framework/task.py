"""The road of all tasks: from a corpus to a SavedModel, and from a SavedModel to predictions."""

from __future__ import annotations

import abc
import contextlib
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import app, logging
from absl import flags as absl_flags

from tasks.data import corpora
from tasks.framework import figures, flags, memory
from tasks.framework import fitting as train
from tasks.framework.machine import machine
from zoo import files
from zoo.catalog import loading
from zoo.catalog.entries import PRESETS

PREDICT_BATCH = 64
DEFAULT_OUTPUT = ".jsonl"


class Task(abc.ABC):
    """What a task has of its own.

    Examples are what its corpora hold, such as tagged sentences; answers what is to be predicted
    for an example, such as its tags; predictions what its SavedModel gives for a text.

    Attributes:
        name: that of the program.
        score_name: of the metrics, the one that validation goes by; higher is better.
        texts: to predict for after training.
        flag_modules: that define its flags.
        own_flags: names of those of its flags that make a training run what it is.
        defaults: of shared flags, where this task's are other ones.
        modes: of its own beside those of all tasks, by name.
        formats: from the ending of an output file to what writes a prediction.
    """

    name: str
    score_name: str
    texts: Sequence[str]
    flag_modules: Sequence[str]
    own_flags: Sequence[str]
    defaults: Mapping[str, Any] = {}
    modes: Mapping[str, Callable[[Task], None]] = {}
    formats: dict[str, Callable[[Any], str]]

    @abc.abstractmethod
    def load(self, splits: Sequence[str], optional: Sequence[str]) -> dict[str, list]:
        """Examples by split, of train, validation and test; an optional one where there is one."""

    @abc.abstractmethod
    def trainer(self, corpus: dict[str, list], model_dir: str) -> Trainer:
        """Prepares a corpus for training."""

    @abc.abstractmethod
    def served(self, folder: str) -> Served:
        """Loads a SavedModel."""

    @abc.abstractmethod
    def answers(self, examples: list) -> list:
        """What is to be predicted."""

    @abc.abstractmethod
    def metrics(self, answers: list, predicted: list) -> dict:
        """Named figures; nested ones for each class."""

    @abc.abstractmethod
    def draw(self, answers: list, predicted: list, folder: str, split: str) -> None:
        """Writes figures of an evaluation as PNG."""

    @abc.abstractmethod
    def counts(self, examples: list) -> dict[str, int]:
        """Numbers of examples and of what they consist of."""

    @abc.abstractmethod
    def show(self, prediction: Any, colour: bool) -> str:
        """A prediction in one line for a terminal."""

    def after_training(self, trainer: Trainer, predict: Callable[[str], list]) -> dict:
        """More figures of the model on the built-in corpus, given its predictor."""
        return {}


class Trainer(abc.ABC):
    """A corpus in numbers, and models trained on it.

    Attributes:
        task: whose.
        corpus: examples by split.
        model_dir: folder of checkpoints and logs.
    """

    def __init__(self, task: Task, corpus: dict[str, list], model_dir: str):
        self.task, self.corpus, self.model_dir = task, corpus, model_dir

    @abc.abstractmethod
    def build(self, **changes) -> keras.Model:
        """A compiled, built model as the flags say, but for some arguments."""

    @abc.abstractmethod
    def epoch(self, number: int) -> tuple[tf.data.Dataset, int]:
        """The training batches of an epoch, which follow from seed and number, and their count."""

    @abc.abstractmethod
    def predictor(self, model: keras.Model) -> Callable[[str], list]:
        """From a split to what the model predicts for its examples."""

    @abc.abstractmethod
    def save(self, model: keras.Model, export_dir: str) -> str:
        """Saves a model as the next version under a folder; returns that version's."""

    def fit(self, model: keras.Model, predict: Callable, model_dir: str) -> list[dict]:
        """Trains and resumes, see `train.fit`; `predict` is the model's predictor."""
        answers = self.task.answers(self.corpus["validation"])

        def score():
            return self.task.metrics(answers, predict("validation"))[self.task.score_name]

        return train.fit(model, self.epoch, score, self.task.score_name, model_dir)

    def further_figures(self, model: keras.Model) -> dict:
        """What else results.json is to say of a trained model."""
        return {}

    def export(self, model: keras.Model) -> str:
        folder = export_folder(self.task)
        try:
            return self.save(model, folder)
        except OSError as error:
            raise flags.UserError(
                f"--export_dir: cannot write to {folder!r}: {error.strerror}"
            ) from None


class Served(abc.ABC):
    """A SavedModel, run as a server would run it.

    Args:
        folder: of the version.
        signatures: that it must have.
    """

    def __init__(self, folder: str, *signatures: str):
        try:
            self.model = loading.load_quietly(folder)
        except (OSError, ValueError) as error:
            raise flags.UserError(f"--model: cannot load {folder!r}: {error}") from None
        for name in ("serving_default", *signatures):
            if name not in self.model.signatures:
                raise flags.UserError(
                    f"--model: expected a model of this task, with a signature {name!r}. "
                    f"Received: {folder!r}, with {sorted(self.model.signatures)}"
                )

    @abc.abstractmethod
    def predict(self, texts: Sequence[str]) -> list:
        """Predictions for a batch of texts."""

    @abc.abstractmethod
    def evaluate(self, examples: list) -> list:
        """What is predicted for a batch of examples, comparable with their answers."""

    @abc.abstractmethod
    def check(self, answers: list) -> None:
        """Raises UserError where answers are none that the model can give."""


# --- Modes ---------------------------------------------------------------------------------------


def train_mode(task: Task) -> None:
    start = time.perf_counter()
    flags.check_writable(export_folder(task), "export_dir")
    corpus = load(task, ["train", "validation", "test"])
    model_dir = flags.MODEL_DIR.value or tempfile.mkdtemp(prefix=f"{task.name}-")
    config = {"task": task.name, **flags.recipe(*task.own_flags)}
    train.claim_folder(model_dir, config)
    seconds_before = train.seconds_before(model_dir)
    counts = {split: task.counts(examples) for split, examples in corpus.items()}
    for split, count in counts.items():
        print(f"{split}:", ", ".join(f"{n:,} {name}" for name, n in count.items()), flush=True)

    trainer = task.trainer(corpus, model_dir)
    model = trainer.build()
    predict = trainer.predictor(model)
    history = trainer.fit(model, predict, model_dir)
    results = {
        "task": task.name,
        "score": task.score_name,
        "command": command(),
        "config": config,
        "counts": counts,
        "parameters": model.count_params(),
        "epochs": history,
        "machine": machine(),
    }
    for split in ("validation", "test"):
        if split in corpus:
            results[split] = evaluate(task, corpus[split], predict(split), split, model_dir)
    results |= trainer.further_figures(model)
    path = os.path.join(model_dir, "learning_curves.png")
    figures.learning_curves(history, task.score_name, path)
    if flags.DATA.value == "demo":
        results |= task.after_training(trainer, predict)
    results["wall_seconds"] = seconds_before + time.perf_counter() - start
    files.write_json(os.path.join(model_dir, "results.json"), results)
    version = trainer.export(model)
    served = task.served(version)
    if flags.WEIGHTS.value != "float32":
        examples = corpus["validation"]
        predicted = served_answers(served, examples)
        metrics = evaluate(task, examples, predicted, f"validation, {flags.WEIGHTS.value}", None)
        results["stored"] = {"weights": flags.WEIGHTS.value, "validation": metrics}
        files.write_json(os.path.join(model_dir, "results.json"), results)
    print(f"\nSaved: {version}   Logs, figures, results.json: {model_dir}\n")
    for prediction in served.predict(task.texts):
        print(task.show(prediction, os.isatty(1)))


def evaluate_mode(task: Task) -> None:
    served = task.served(needed_model())
    if flags.MODEL_DIR.value:
        flags.check_writable(flags.MODEL_DIR.value, "model_dir")
    (examples,) = load(task, ["test"]).values()
    served.check(task.answers(examples))
    start = time.perf_counter()
    predicted = served_answers(served, examples)
    seconds = time.perf_counter() - start
    folder = flags.MODEL_DIR.value
    if folder:
        os.makedirs(folder, exist_ok=True)
    metrics = evaluate(task, examples, predicted, "test", folder)
    print(f"  {len(examples) / seconds:.0f} texts/s")
    if folder:
        results = {
            "task": task.name,
            "command": command(),
            "model": flags.MODEL.value,
            "counts": {"test": task.counts(examples)},
            "test": metrics,
            "wall_seconds": seconds,
            "machine": machine(),
        }
        files.write_json(os.path.join(folder, "evaluation.json"), results)


def predict_mode(task: Task) -> None:
    if flags.TEXT.value and flags.INPUT_FILE.value:
        raise flags.UserError("expected --text or --input_file. Received: both.")
    path = flags.OUTPUT_FILE.value
    served = task.served(needed_model())
    with open_texts() as texts:
        predictions = itertools.chain.from_iterable(map(served.predict, texts))
        if path is None:
            for prediction in predictions:
                print(task.show(prediction, os.isatty(1)), flush=True)
            return
        ending = os.path.splitext(path)[1]
        as_text = task.formats.get(ending, task.formats[DEFAULT_OUTPUT])

        write_output(path, map(as_text, with_progress(predictions)))


def export_mode(task: Task) -> None:
    model_dir = flags.MODEL_DIR.value
    if not model_dir or not os.path.exists(os.path.join(model_dir, train.BEST)):
        raise flags.UserError(
            "--mode=export needs --model_dir, a folder with a trained model. "
            f"Received: {model_dir!r}"
        )
    train.claim_folder(model_dir, {"task": task.name, **flags.recipe(*task.own_flags)})
    trainer = task.trainer(load(task, ["train", "validation"]), model_dir)
    model = trainer.build()
    train.restore_best(model, model_dir)
    print(f"Saved: {trainer.export(model)}")


MODES = {
    "train": train_mode,
    "evaluate": evaluate_mode,
    "predict": predict_mode,
    "export": export_mode,
}


def run(task: Task) -> None:
    """Runs the program of a task; what the user can put right ends in one line and exit code 1."""

    def main(argv: list[str]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        memory.keep_freed()
        try:
            if len(argv) > 1:
                raise flags.UserError(f"unexpected arguments: {' '.join(argv[1:])}")
            flags.apply_preset(PRESETS[task.name])
            if flags.MIXED_PRECISION.value != "float32":
                keras.mixed_precision.set_global_policy(flags.MIXED_PRECISION.value)
            modes = MODES | task.modes
            if flags.MODE.value not in modes:
                raise flags.UserError(
                    f"--mode: expected one of {', '.join(modes)}. Received: {flags.MODE.value!r}"
                )
            modes[flags.MODE.value](task)
        except (flags.UserError, corpora.DataError) as error:
            print(f"{task.name}: {error}", file=sys.stderr)
            sys.exit(1)
        except BrokenPipeError:  # what reads our output has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt as stop:
            signal.setitimer(signal.ITIMER_REAL, 0)
            resumes = flags.MODE.value == "train" and flags.MODEL_DIR.value
            how = "; the same command resumes it" if resumes else ""
            print(f"\n{task.name}: stopped{how}.", file=sys.stderr)
            sys.exit(128 + (stop.args[0] if stop.args else signal.SIGINT))

    flags.apply_defaults(task.defaults)
    if "--help" in sys.argv[1:]:
        print(help_text(task))
        return
    logging.set_verbosity(logging.WARNING)
    logging.set_stderrthreshold("warning")
    app.run(main)


def _stop(number: int, frame: object) -> None:
    """Stops the program, and does so again if this comes at a moment at which Python drops it, such
    as inside of a destructor."""

    def again(*_):
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    raise KeyboardInterrupt(number)


# --- Parts of them -------------------------------------------------------------------------------


def command() -> str:
    return " ".join([f"python -m {sys.modules['__main__'].__spec__.name}", *sys.argv[1:]])


def help_text(task: Task) -> str:
    """What a program is for, and its flags before those that all tasks share."""
    modes = ", ".join((*MODES, *task.modes))
    sections = map(absl_flags.FLAGS.module_help, (*task.flag_modules, "tasks.framework.flags"))
    presets = ", ".join(PRESETS[task.name])
    return "\n".join(
        [sys.modules["__main__"].__doc__, f"Modes: {modes}. Presets: {presets}.", *sections]
    )


def export_folder(task: Task) -> str:
    return flags.EXPORT_DIR.value or os.path.join(flags.SAVED_MODELS, task.name)


def needed_model() -> str:
    if not flags.MODEL.value:
        raise flags.UserError(
            f"--mode={flags.MODE.value} needs --model, a SavedModel or the name of one."
        )
    return flags.find_model(flags.MODEL.value)


def load(task: Task, splits: list[str]) -> dict[str, list]:
    """The splits of the corpus; for training, a test split only where there is one."""
    paths = flags.files()
    given = [split for split, path in paths.items() if path]
    if flags.DATA.value != "files" and given:
        raise flags.UserError(
            f"a {given[0]} file goes with --data=files. Received: --data={flags.DATA.value}"
        )
    return task.load(splits, optional=["test"] if len(splits) > 1 else [])


def served_answers(served: Served, examples: list) -> list:
    """What a SavedModel predicts for examples."""
    predicted: list = [None] * len(examples)
    # Like lengths together, since a batch takes as long as its longest.
    order = sorted(range(len(examples)), key=lambda number: len(examples[number][0]))
    for numbers in batched(order, PREDICT_BATCH):
        answers = served.evaluate([examples[number] for number in numbers])
        for number, answer in zip(numbers, answers, strict=True):
            predicted[number] = answer
    return predicted


def evaluate(task: Task, examples: list, predicted: list, split: str, folder: str | None) -> dict:
    """Metrics, shown, and drawn into a folder."""
    answers = task.answers(examples)
    metrics = task.metrics(answers, predicted)
    print(f"\n{split}:")
    for name, value in metrics.items():
        if isinstance(value, dict):
            for key, row in value.items():
                print(f"  {key:12s}", ", ".join(f"{n} {v:.4g}" for n, v in row.items()))
        elif isinstance(value, float):
            print(f"  {name:32s} {value:.4f}")
    if folder:
        task.draw(answers, predicted, folder, split)
    return metrics


def write_output(path: str, pieces: Iterable[str]) -> None:
    """Writes --output_file, whole or not at all."""

    def write(temporary):
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(pieces)

    try:
        files.replace(path, write)
    except OSError as error:
        raise flags.UserError(f"--output_file: {path}: {error.strerror}") from None


@contextlib.contextmanager
def open_texts() -> Iterator[Iterator[list[str]]]:
    """The texts to predict for, in batches: of --text, a file, or standard input."""
    if flags.TEXT.value:
        yield batched(flags.TEXT.value, PREDICT_BATCH)
        return
    try:
        path = flags.INPUT_FILE.value
        # Nobody who types a line waits for 63 more.
        size = PREDICT_BATCH if path or not os.isatty(0) else 1
        with open(path or 0, encoding="utf-8", errors="replace", closefd=bool(path)) as file:
            yield batched((line.rstrip("\r\n") for line in file), size)
    except OSError as error:
        if not path or error.filename != path:
            raise
        raise flags.UserError(f"--input_file: {path}: {error.strerror}") from None


def batched(items: Iterable, size: int) -> Iterator[list]:
    """Lists of so many items, the last one shorter."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, size)), [])


def with_progress(items: Iterable) -> Iterator:
    """Passes items on and counts them on a terminal."""
    start, shown = time.perf_counter(), 0.0
    for count, item in enumerate(items, start=1):
        yield item
        now = time.perf_counter() - start
        if os.isatty(2) and now - shown > 1:
            shown = now
            print(f"\r{count:,} texts, {count / now:.0f}/s", end="", file=sys.stderr, flush=True)
    if shown:
        print(file=sys.stderr)
