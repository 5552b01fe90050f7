"""What a run of the translation program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import DataConfig, RunConfig, TaskConfig, TrainingConfig
from zoo.configuration import EncoderDecoderConfig, changed, option


@dataclasses.dataclass(frozen=True)
class TranslationData(DataConfig):
    """A parallel corpus."""

    train_file: str | None = option(
        None,
        "Training corpus, with --data=files: `train` for train.de and train.en, which may end in "
        ".gz, with --source=de --target=en; or a table or JSON lines.",
    )
    source: str | None = option(
        None,
        "Language that is read: ending of a file, column of a table, or feature. Columns without "
        "names have numbers, from 0.",
    )
    target: str | None = option(None, "Language that is written, likewise.")
    subwords: int = option(
        8000, "Pieces of words that both languages share; 0: words.", at_least=0, reading=True
    )
    character_coverage: float = option(
        1.0,
        "Share of the characters of the training text that pieces can write; the rest is <UNK>. "
        "Less than 1, such as 0.9995, for scripts with thousands of characters.",
        at_least=0.9,
        at_most=1,
    )
    held_out_test: bool = option(
        False, "Without a test file, hold out a tenth of the source texts for it too."
    )


@dataclasses.dataclass(frozen=True)
class TranslationTraining(TrainingConfig):
    """How a translator is trained, and how it searches."""

    batch_size: int = changed(TrainingConfig, "batch_size", 64)
    epochs: int = changed(TrainingConfig, "epochs", 5)
    beam_size: int = option(
        5,
        "Translations followed side by side, in the SavedModel and when it is measured; 1: always "
        "the likeliest next token (greedy).",
        at_least=1,
        at_most=64,
        recipe=False,
    )
    length_penalty: float = option(
        1.0,
        "Of two translations, the better has more log P / ((5 + length) / 6) to this power; 0: "
        "more log P.",
        at_least=0,
        recipe=False,
    )
    replace_unknown: bool = option(
        False,
        "With --subwords=0: copy the word looked at where the model knows none.",
        recipe=False,
    )


@dataclasses.dataclass(frozen=True)
class TranslationRun(RunConfig):
    """What the translation program may be asked to do."""

    n_best: int = option(
        1, "Translations to give of each text, at most --beam_size of the SavedModel.", at_least=1
    )
    translation: tuple[str, ...] = option(
        (), "With --mode=align, the translation of each --text. Default: the model's own."
    )


@dataclasses.dataclass(frozen=True)
class TranslationConfig(TaskConfig):
    """The recipe of a translator.

    Example:
        >>> TranslationConfig.of(attention="none", epochs=3).model.attention
        'none'
    """

    data: TranslationData = dataclasses.field(default_factory=TranslationData)
    model: EncoderDecoderConfig = dataclasses.field(default_factory=EncoderDecoderConfig)
    training: TranslationTraining = dataclasses.field(default_factory=TranslationTraining)
