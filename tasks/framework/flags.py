"""Flags that mean the same in every task, defined once."""

from __future__ import annotations

import os
from collections.abc import Mapping

from absl import flags

from zoo.catalog import loading
from zoo.models import CELLS
from zoo.saving import weights as stored

MODE = flags.DEFINE_string(
    "mode",
    "train",
    "train (then evaluate and export), evaluate, predict, export, or one of the task's own.",
)
PRESET = flags.DEFINE_string("preset", None, "Recipe whose flags are the defaults, by its name.")
DATA = flags.DEFINE_string(
    "data",
    "demo",
    "demo, the built-in corpus; tfds:NAME, such as tfds:wikiann/en; or files, with --*_file.",
)
TRAIN_FILE = flags.DEFINE_string("train_file", None, "Training corpus, with --data=files.")
VALID_FILE = flags.DEFINE_string(
    "valid_file", None, "Validation corpus, with --data=files; without, a tenth of the training."
)
TEST_FILE = flags.DEFINE_string("test_file", None, "Test corpus, with --data=files.")
TEXT_COLUMN = flags.DEFINE_string(
    "text_column",
    None,
    "Column, key or feature with the text of an example, where it is not tagged words. "
    "Default: text.",
)
CELL = flags.DEFINE_enum("cell", "lstm", CELLS, "Recurrent layer; none: a network without one.")
UNITS = flags.DEFINE_integer("units", 128, "Units of each direction.", lower_bound=1)
DEPTH = flags.DEFINE_integer("depth", 1, "Recurrent layers on top of each other.", lower_bound=1)
BIDIRECTIONAL = flags.DEFINE_bool("bidirectional", True, "Read in both directions.")
EMBEDDING_DIM = flags.DEFINE_integer(
    "embedding_dim", 100, "Width of the word embedding.", lower_bound=1
)
DROPOUT = flags.DEFINE_float(
    "dropout", 0.5, "Share dropped between layers in training.", lower_bound=0, upper_bound=0.99
)
RECURRENT_DROPOUT = flags.DEFINE_float(
    "recurrent_dropout", 0.0, "Share of the state dropped.", lower_bound=0, upper_bound=0.99
)
VOCAB_SIZE = flags.DEFINE_integer(
    "vocab_size", 30000, "Most words in the vocabulary.", lower_bound=1
)
MAX_LENGTH = flags.DEFINE_integer(
    "max_length",
    100,
    "Longer training sentences are cut to this; drawn text has so many tokens at most.",
    lower_bound=1,
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Sentences in a batch.", lower_bound=1)
EPOCHS = flags.DEFINE_integer("epochs", 20, "Epochs at most.", lower_bound=1)
PATIENCE = flags.DEFINE_integer(
    "patience", 8, "Stop after so many epochs without a better validation score.", lower_bound=1
)
OPTIMIZER = flags.DEFINE_enum("optimizer", "adam", ("adam", "sgd"), "Optimizer.")
LEARNING_RATE = flags.DEFINE_float("learning_rate", 2e-3, "At the start.", lower_bound=0)
DECAY = flags.DEFINE_float(
    "decay",
    0.05,
    "With --schedule=inverse, epoch e trains at learning_rate / (1 + decay * e).",
    lower_bound=0,
)
SCHEDULE = flags.DEFINE_enum(
    "schedule",
    "inverse",
    ("inverse", "linear", "cosine"),
    "How the learning rate falls: by --decay, or to zero behind the last of --epochs.",
)
AVERAGE = flags.DEFINE_float(
    "average",
    0.0,
    "Score and keep the moving average of the weights, with this momentum, such as 0.999; 0: none.",
    lower_bound=0,
    upper_bound=0.999999,
)
CLIP_NORM = flags.DEFINE_float(
    "clip_norm", 5.0, "Clip gradients to this global norm; 0: not at all.", lower_bound=0
)
SEED = flags.DEFINE_integer("seed", 0, "Of weights, dropout and shuffling.", lower_bound=0)
MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Checkpoints, logs and figures; resumes what it holds. Default: temporary."
)
EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "Where to save the model as its next version. Default: saved_models/TASK."
)
WEIGHTS = flags.DEFINE_enum(
    "weights",
    "float32",
    stored.KINDS,
    "How the SavedModel holds weights; with fewer bits, its validation score is measured too.",
)
MODEL = flags.DEFINE_string(
    "model", None, "SavedModel to evaluate or predict with: a folder, or a name in saved_models/."
)
TEXT = flags.DEFINE_multi_string("text", [], "Text to predict for; may be repeated.")
INPUT_FILE = flags.DEFINE_string("input_file", None, "Texts to predict for, one a line.")
OUTPUT_FILE = flags.DEFINE_string(
    "output_file", None, "Predictions; .conll for CoNLL, else JSON lines. Default: the terminal."
)
JIT = flags.DEFINE_bool("jit", True, "Compile recurrent layers by XLA in training.")
MIXED_PRECISION = flags.DEFINE_enum(
    "mixed_precision", "float32", ("float32", "mixed_bfloat16", "mixed_float16"), "Precision."
)

# What makes a training run what it is: another value is another run.
RECIPE = (
    *("data", "train_file", "valid_file"),
    *("cell", "units", "depth", "bidirectional", "embedding_dim", "dropout", "recurrent_dropout"),
    *("vocab_size", "max_length", "batch_size", "epochs", "patience", "optimizer"),
    *("learning_rate", "decay", "schedule", "average", "clip_norm", "seed", "mixed_precision"),
)

SAVED_MODELS = "saved_models"


class UserError(Exception):
    """Something that the user can put right; shown in one line, without a traceback."""


def recipe(*own: str) -> dict:
    """The values of the flags that make a training run, a task's own ones included."""
    return {name: flags.FLAGS[name].value for name in (*RECIPE, *own)}


def apply_defaults(defaults: Mapping) -> None:
    """Gives shared flags the defaults of a task."""
    for name, value in defaults.items():
        if not flags.FLAGS[name].present:
            flags.FLAGS.set_default(name, value)


def apply_preset(presets: dict[str, dict]) -> None:
    """Makes the flags of `--preset` the defaults of this run; flags on the command line win."""
    name = PRESET.value
    if name is None:
        return
    if name not in presets:
        raise UserError(f"--preset: expected one of {sorted(presets)}. Received: {name!r}")
    for flag, value in presets[name].items():
        if not flags.FLAGS[flag].present:
            flags.FLAGS[flag].value = value


def find_model(name: str) -> str:
    """The newest version of a SavedModel: a folder with it or with its versions, or a name."""
    for folder in (name, os.path.join(SAVED_MODELS, name)):
        if os.path.exists(os.path.join(folder, "saved_model.pb")):
            return folder
        if found := loading.versions(folder):
            return os.path.join(folder, str(found[-1]))
    raise UserError(
        f"--model: expected a folder with a SavedModel, or a name in {SAVED_MODELS}/. "
        f"Received: {name!r}"
    )


def files() -> dict[str, str | None]:
    """The paths of `--data=files` by split."""
    return {"train": TRAIN_FILE.value, "validation": VALID_FILE.value, "test": TEST_FILE.value}


def check_writable(folder: str, flag: str) -> None:
    """Raises UserError where a folder cannot be written to, or made; makes nothing."""
    existing = os.path.abspath(folder)
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    if not (os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)):
        reason = "cannot be written to" if os.path.isdir(existing) else "is no folder"
        raise UserError(
            f"--{flag}: expected a folder to write to. Received: {folder!r}; {existing!r} {reason}."
        )
