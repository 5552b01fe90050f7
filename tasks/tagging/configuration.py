"""What a run of a tagging program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import PretrainedTraining, RunConfig, TaskConfig, WordReaderData
from zoo.configuration import TaggerConfig, changed, option


@dataclasses.dataclass(frozen=True)
class TaggingData(WordReaderData):
    """A corpus of tagged sentences."""

    token_column: int | None = option(
        None,
        "Column of a file that holds the tokens, from 0, or from the end: -1 is the last. Default: "
        "the first, or the one behind that which numbers the words.",
    )
    tag_column: int | None = option(
        None, "Column that holds the tags. Default: the last; for entities, the one that has some."
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
    training: PretrainedTraining = dataclasses.field(default_factory=PretrainedTraining)


@dataclasses.dataclass(frozen=True)
class TaggingRun(RunConfig):
    """What a tagging program may be asked to do."""

    input_file: str | None = changed(
        RunConfig,
        "input_file",
        None,
        "Texts to predict for: .csv, .tsv or .jsonl with a --text_column, .conll and .conllu, a "
        "folder, plain text with a text a line. Default: standard input, a text a line.",
    )
    output_file: str | None = changed(
        RunConfig,
        "output_file",
        None,
        "Predictions, beside all that --input_file has, in the format of its ending: .jsonl, .csv, "
        ".tsv, .conll. Default: the terminal.",
    )
    n_best: int = option(
        1,
        "Sequences of tags that --mode=predict gives of each text, with their probabilities, in "
        "the terminal and in JSON lines.",
        at_least=1,
        at_most=1000,
    )


@dataclasses.dataclass(frozen=True)
class EntityRun(TaggingRun):
    """What the program for named entities may be asked to do."""

    tag_scheme: str = option(
        "BIO",
        "How --mode=predict writes the tags of entities.",
        choices=("BIO", "IOB1", "BIOES", "BILOU"),
    )
