"""What a run of a tagging program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import DataConfig, TaskConfig, TrainingConfig
from zoo.configuration import TaggerConfig, option


@dataclasses.dataclass(frozen=True)
class TaggingData(DataConfig):
    """A corpus of tagged sentences."""

    embeddings_file: str | None = option(
        None, "Word vectors as text, GloVe or word2vec; sets --embedding_dim."
    )


@dataclasses.dataclass(frozen=True)
class TaggingConfig(TaskConfig):
    """The recipe of a tagger.

    Example:
        >>> TaggingConfig.of(units=64, epochs=3).model.units
        64
    """

    data: TaggingData = dataclasses.field(default_factory=TaggingData)
    model: TaggerConfig = dataclasses.field(default_factory=TaggerConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
