"""What a run of a program is made of: data, model, training, and what it is asked to do.

All of it is free of TensorFlow, so that a program shows its flags at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from zoo.configuration import STORED, Configuration, Option, RecurrentConfig, option, options
from zoo.configuration.base import hints


@dataclasses.dataclass(frozen=True)
class DataConfig(Configuration):
    """Which corpus, and what is read of it."""

    data: str = option(
        "demo",
        "demo, the built-in corpus; tfds:NAME, such as tfds:wikiann/en; or files, with --*_file.",
    )
    train_file: str | None = option(None, "Training corpus, with --data=files.")
    valid_file: str | None = option(
        None, "Validation corpus, with --data=files; without, a tenth of the training."
    )
    test_file: str | None = option(None, "Test corpus, with --data=files.", recipe=False)
    vocab_size: int = option(30_000, "Most words in the vocabulary.", at_least=1)
    min_count: int = option(2, "Rarer words of the training corpus are <UNK>.", at_least=1)
    text_column: str | None = option(
        None, "Column, key or feature with the text of an example. Default: text."
    )
    max_length: int = option(
        100,
        "Longer training texts are cut to so many words.",
        at_least=1,
    )

    @property
    def files(self) -> dict[str, str | None]:
        """The paths of `data="files"` by split."""
        return {"train": self.train_file, "validation": self.valid_file, "test": self.test_file}


@dataclasses.dataclass(frozen=True)
class WordReaderData(DataConfig):
    """A corpus whose words may have vectors of others."""

    embeddings_file: str | None = option(
        None,
        "Word vectors: GloVe's or fastText's as text, word2vec's as text or binary; may be packed "
        "by gzip. They set --embedding_dim.",
    )
    embeddings_vocabulary: int = option(
        20_000,
        "So many words of --embeddings_file beyond the vocabulary of the corpus are known to the "
        "model too, from the first on.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Configuration):
    """How a model is trained."""

    batch_size: int = option(32, "Sentences in a batch.", at_least=1)
    epochs: int = option(20, "Epochs at most.", at_least=1)
    patience: int = option(
        8, "Stop after so many epochs without a better validation score.", at_least=1
    )
    optimizer: str = option("adam", "Optimizer.", choices=("adam", "sgd"))
    learning_rate: float = option(2e-3, "At the start.", at_least=0)
    decay: float = option(
        0.05,
        "With --schedule=inverse, epoch e trains at learning_rate / (1 + decay * e).",
        at_least=0,
    )
    schedule: str = option(
        "inverse",
        "How the learning rate falls: by --decay, or to zero behind the last of --epochs.",
        choices=("inverse", "linear", "cosine"),
    )
    average: float = option(
        0.0,
        "Score and keep the moving average of the weights, with this momentum, such as 0.999, and "
        "less in the first steps; 0: none.",
        at_least=0,
        at_most=0.999999,
    )
    clip_norm: float = option(5.0, "Clip gradients to this global norm; 0: not at all.", at_least=0)
    seed: int = option(0, "Of weights, dropout and shuffling.", at_least=0, at_most=2**31 - 1)
    init_from: str | None = option(
        None,
        "Start from the weights, vocabulary and shape of a trained model: a name of the zoo, a "
        "SavedModel, or the --model_dir of a finished run.",
    )
    mixed_precision: str = option(
        "float32",
        "Precision of training; what is measured in the end, and saved, is float32. Large layers "
        "train faster in bfloat16 on CPUs that have avx512_bf16 or amx_bf16, and on GPUs.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    distribute: str = option(
        "none",
        "Train on one device; on all devices of this machine, mirrored; or on several machines, "
        "multi_worker, where each worker runs this command with its own TF_CONFIG.",
        choices=("none", "mirrored", "multi_worker"),
        recipe=False,
    )

    def without_effect(self) -> dict[str, str]:
        """Options that are not the defaults and change nothing: by name, why."""
        if "decay" in self.changed() and self.schedule != "inverse":
            return {"decay": f"with --schedule={self.schedule}"}
        return {}


@dataclasses.dataclass(frozen=True)
class PretrainedTraining(TrainingConfig):
    """How a model is trained that may start from a language model."""

    pretrain: bool = option(
        False,
        "Start from a language model, in the directions of the model, of the corpus' own texts, "
        "those without a label included, and of --pretrain_file.",
    )
    pretrain_file: str | None = option(
        None,
        "Texts without answers, beside those of --data: a file of plain text with a text a line, "
        "or .csv, .tsv or .jsonl with a --text_column, all of which may be packed by gzip; or "
        "tfds:NAME, whose parts for validation and test stay unread.",
    )
    pretrain_epochs: int = option(5, "Epochs of the language model.", at_least=1)
    pretrain_from: str | None = option(
        None,
        "Start from the language model that another run with --pretrain has trained, and know its "
        "words: the --model_dir of that run. Its shape sets --cell, --units, --bidirectional, "
        "--embedding_dim and of taggers --character_dim.",
    )

    @property
    def trains_language_model(self) -> bool:
        """Whether a language model is trained first.

        Example:
            >>> PretrainedTraining(pretrain=True, pretrain_from="runs/imdb").trains_language_model
            False
        """
        return self.pretrain and self.pretrain_from is None

    @property
    def reads_more_texts(self) -> bool:
        """Whether texts beside the examples are read, those of `pretrain_file` among them."""
        return self.trains_language_model

    @property
    def starts_from(self) -> str | None:
        """The option by which it starts from a language model, if it does."""
        if self.pretrain_from is not None:
            return "pretrain_from"
        return "pretrain" if self.pretrain else None

    def without_effect(self) -> dict[str, str]:
        used = {
            "pretrain_file": self.reads_more_texts,
            "pretrain_epochs": self.trains_language_model,
        }
        why = "without --pretrain" if self.pretrain_from is None else "with --pretrain_from"
        unused = [name for name in self.changed() if not used.get(name, True)]
        return super().without_effect() | dict.fromkeys(unused, why)


@dataclasses.dataclass(frozen=True)
class RunConfig(Configuration):
    """What a program is asked to do, and where things lie.

    Attributes:
        command: the whole command, for records.
        given: names of the flags that were said, and are not just defaults.
    """

    mode: str = option(
        "train",
        "train, then evaluate and export; or another one of the modes above.",
    )
    preset: str | None = option(None, "Recipe whose flags are the defaults, by its name.")
    model_dir: str | None = option(
        None,
        "Checkpoints, logs and figures; resumes what it holds. Default: temporary.",
    )
    export_dir: str | None = option(
        None,
        "Where to save the model as its next version. Default: saved_models/TASK.",
    )
    weights: str = option(
        "float32",
        "How the SavedModel holds weights; with fewer bits, its validation score is measured too.",
        choices=STORED,
    )
    model: str | None = option(
        None,
        "SavedModel to evaluate or predict with: a folder, or a name in saved_models/.",
    )
    text: tuple[str, ...] = option((), "Text to predict for; may be repeated.")
    input_file: str | None = option(
        None,
        "Texts to predict for: .csv, .tsv or .jsonl with a --text_column, a folder, plain text "
        "with a text a line. Default: standard input, a text a line.",
    )
    max_characters: int = option(
        1_000_000,
        "Most characters of a text to predict for: a longer one is an error; 0: any number.",
        at_least=0,
    )
    output_file: str | None = option(
        None,
        "Predictions, beside all that --input_file has, in the format of its ending: .jsonl, .csv, "
        ".tsv. Default: the terminal.",
    )
    command: str = ""
    given: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class MeasuringConfig(RunConfig):
    """What a program is asked that trains and measures models of a task, and has one mode: of what
    a trained model is asked, nothing is an option. Presets may say `weights`."""

    export_dir: str | None = None
    model: str | None = None
    text: tuple[str, ...] = ()
    input_file: str | None = None
    max_characters: int = 0


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """A recipe: data, model and training. A task's own subclass says of which kind they are.

    Example:
        >>> config = TaskConfig.of(units=64, epochs=3, data="tfds:wikiann/en")
        >>> config.model.units, config.training.epochs, config.data.data
        (64, 3, 'tfds:wikiann/en')
    """

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: RecurrentConfig = dataclasses.field(default_factory=RecurrentConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)

    @classmethod
    def parts(cls) -> dict[str, type[Configuration]]:
        """The classes of data, model and training."""
        return {field.name: hints(cls)[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def options(cls) -> dict[str, tuple[dataclasses.Field, Option]]:
        """All that a user sets, by the names of the flags."""
        return {name: said for part in cls.parts().values() for name, said in options(part).items()}

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A recipe of options by their names, as flags have them; the others have their defaults.

        Raises:
            ValueError: there is no such option, or it has no such value.
        """
        return cls.from_dict(values, strict=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], strict: bool = False) -> Self:
        """A recipe of what `as_dict` gave; options that are not there have their defaults.

        Raises:
            ValueError: a value is wrong, or with `strict` a name.
        """
        unknown = sorted(values.keys() - cls.options().keys())
        if strict and unknown:
            raise ValueError(f"expected some of {sorted(cls.options())}. Received: {unknown}")
        parts: dict[str, Any] = {n: kind.from_dict(values) for n, kind in cls.parts().items()}
        return cls(**parts)

    def as_dict(self, recipe_only: bool = False) -> dict[str, Any]:
        """Options by their names; with `recipe_only`, those that make a training run what it is."""
        flat: dict[str, Any] = {}
        for part in (self.data, self.model, self.training):
            values = part.as_dict()
            flat |= {
                name: values[name]
                for name, (_, said) in options(type(part)).items()
                if said.recipe or not recipe_only
            }
        return flat

    def changed(self) -> dict[str, Any]:
        """Options that are not the defaults, by their names.

        Example:
            >>> TaskConfig.of(units=64, epochs=20).changed()
            {'units': 64}
        """
        return self.data.changed() | self.model.changed() | self.training.changed()

    def without_effect(self) -> dict[str, str]:
        """Options that are not the defaults and change nothing: by name, why."""
        unused = self.training.without_effect()
        for start in ("pretrain_from", "init_from"):
            if getattr(self.training, start, None) is not None:
                words = {"vocab_size", "min_count"} & self.changed().keys()
                unused |= dict.fromkeys(sorted(words), f"with --{start}, whose words it knows")
        return unused

    def replace(self, **values: Any) -> Self:
        """The same recipe but for some options, by their names."""
        return self.of(**{**self.as_dict(), **values})
