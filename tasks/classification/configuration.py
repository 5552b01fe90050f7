"""What a run of a classification program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import (
    DataConfig,
    PretrainedTraining,
    RunConfig,
    TaskConfig,
    WordReaderData,
)
from zoo.configuration import ClassifierConfig, changed, option


@dataclasses.dataclass(frozen=True)
class ClassificationData(WordReaderData):
    """A corpus of labelled texts."""

    max_length: int = changed(
        DataConfig, "max_length", 400, "So many words of a text are read, see --keep."
    )
    keep: str = option(
        "both",
        "Which words of texts beyond --max_length are read.",
        choices=("start", "end", "both"),
    )
    label_column: str | None = option(
        None,
        'Column, key or feature with the label; 1, 1.0 and "1" are one label. Default: label.',
    )


@dataclasses.dataclass(frozen=True)
class ClassificationTraining(PretrainedTraining):
    """How a classifier is trained, and what it starts from."""

    epochs: int = changed(PretrainedTraining, "epochs", 8)
    patience: int = changed(PretrainedTraining, "patience", 3)
    self_training: bool = option(
        False,
        "Train two: a teacher, and a classifier that learns, beside the labels, what the teacher "
        "says of texts without one: those of the corpus and of --pretrain_file.",
    )
    teacher_epochs: int = option(4, "Epochs of the teacher of --self_training.", at_least=1)

    @property
    def reads_more_texts(self) -> bool:
        return super().reads_more_texts or self.self_training

    def without_effect(self) -> dict[str, str]:
        unused = super().without_effect()
        if "pretrain_file" in unused:
            unused["pretrain_file"] += " and without --self_training"
        if not self.self_training and "teacher_epochs" in self.changed():
            unused["teacher_epochs"] = "without --self_training"
        return unused


@dataclasses.dataclass(frozen=True)
class ClassificationRun(RunConfig):
    """What a classification program may be asked to do."""

    permutations: int = option(
        32,
        "Orders in which --mode=explain adds the words; more are slower and more exact.",
        at_least=1,
    )
    explain_class: str = option(
        "predicted", "Label that --mode=explain explains: its name, predicted, or all."
    )
    explain_seconds: float = option(
        60.0,
        "Seconds for each text, after which --mode=explain does with fewer orders.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True)
class ClassificationConfig(TaskConfig):
    """The recipe of a classifier.

    Example:
        >>> ClassificationConfig.of(pooling="last", epochs=3).model.pooling
        'last'
    """

    data: ClassificationData = dataclasses.field(default_factory=ClassificationData)
    model: ClassifierConfig = dataclasses.field(default_factory=ClassifierConfig)
    training: ClassificationTraining = dataclasses.field(default_factory=ClassificationTraining)
