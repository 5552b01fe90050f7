"""What a run of the language model program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import DataConfig, RunConfig, TaskConfig, TrainingConfig
from zoo.configuration import LanguageModelConfig, changed, option


@dataclasses.dataclass(frozen=True)
class LanguageData(DataConfig):
    """A corpus of texts."""

    vocab_size: int = changed(DataConfig, "vocab_size", 10_000)
    min_count: int = changed(DataConfig, "min_count", 1)
    max_length: int = changed(
        DataConfig,
        "max_length",
        100,
        "Longer training sentences are cut to so many tokens; drawn text has so many at most.",
    )
    tokens: str = option(
        "words",
        "What a token is: a character; a word or a punctuation mark; or what white space "
        "separates.",
        choices=("characters", "words", "split"),
        reading=True,
    )
    running: bool = option(
        False, "Running text, whose states are carried on, in place of a text a line."
    )
    window: int = option(100, "Steps through which running text is back-propagated.", at_least=2)


@dataclasses.dataclass(frozen=True)
class LanguageTraining(TrainingConfig):
    """How a language model is trained and scored."""

    epochs: int = changed(TrainingConfig, "epochs", 8)
    patience: int = changed(TrainingConfig, "patience", 3)
    dynamic_evaluation: float = option(
        0.0,
        "In training, measure once more a model that goes on learning from each --window of text "
        "that it has scored, by plain steps down its gradient, clipped by --clip_norm, at this "
        "learning rate, such as 0.1; 0: not.",
        at_least=0,
        at_most=1000,
        recipe=False,
    )
    neural_cache: int = option(
        0,
        "In training, measure once more with a cache of so many tokens, such as 2000: what "
        "followed states like the present one becomes likelier; 0: not.",
        at_least=0,
        at_most=2**31 - 1,
        recipe=False,
    )


@dataclasses.dataclass(frozen=True)
class LanguageRun(RunConfig):
    """What the language model program may be asked to do."""

    prompt: tuple[str, ...] = option(
        (), "Beginning to go on from; may be repeated. Default: the empty text."
    )
    temperature: float = option(
        1.0,
        "Below 1, likely tokens become likelier; 0: the likeliest (greedy); inf: all equally "
        "likely.",
        at_least=0,
    )
    top_k: int = option(
        0, "Draw from the k likeliest tokens; 0: from all.", at_least=0, at_most=2**31 - 1
    )
    top_p: float = option(
        1.0,
        "Draw from the likeliest tokens that have this probability together; 1: from all.",
        at_least=0,
        at_most=1,
    )
    num_samples: int = option(1, "Texts for each prompt.", at_least=1)
    allow_unk: bool = option(False, "Keep a drawn <UNK>, or draw again.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.top_p:
            raise ValueError("top_p: expected a probability above 0 and at most 1. Received: 0.0")


@dataclasses.dataclass(frozen=True)
class LanguageConfig(TaskConfig):
    """The recipe of a language model.

    Example:
        >>> LanguageConfig.of(tokens="characters", running=True).data.running
        True
    """

    data: LanguageData = dataclasses.field(default_factory=LanguageData)
    model: LanguageModelConfig = dataclasses.field(default_factory=LanguageModelConfig)
    training: LanguageTraining = dataclasses.field(default_factory=LanguageTraining)

    def without_effect(self) -> dict[str, str]:
        unused = "window" in self.changed() and not self.data.running
        return super().without_effect() | ({"window": "without --running"} if unused else {})
