"""What each model of the zoo is made of."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.configuration.base import Configuration, changed, option

# How a SavedModel holds weights; `zoo.saving.weights` has them.
STORED = ("float32", "float16", "int8")
# The names of `layers.CELLS`, and a network without recurrence.
CELLS = ("none", "rnn", "gru_simplified", "gru", "gru_reset_after", "lstm")


def _share(default: float, help: str) -> Any:
    """An option of training: a share of what is there."""
    return option(default, help, at_least=0, at_most=0.99, training_only=True)


@dataclasses.dataclass(frozen=True)
class RecurrentConfig(Configuration):
    """What all models on recurrent stacks have in common.

    Attributes:
        vocabulary_size: number of token ids, padding and `<UNK>` included; follows from the data.
    """

    cell: str = option("lstm", "Recurrent layer; none: a network without one.", choices=CELLS)
    units: int = option(128, "Units of each direction.", at_least=1)
    depth: int = option(1, "Recurrent layers on top of each other.", at_least=1)
    bidirectional: bool = option(True, "Read in both directions.")
    embedding_dim: int = option(100, "Width of the word embedding.", at_least=1)
    dropout: float = _share(0.5, "Share dropped between layers in training.")
    recurrent_dropout: float = _share(0.0, "Share of the state dropped.")
    word_dropout: float = _share(0.1, "Share of words read as <UNK> in training.")
    jit: bool = option(
        True, "Compile recurrent layers by XLA in training.", recipe=False, training_only=True
    )
    vocabulary_size: int = 0

    @property
    def reads_forward(self) -> bool:
        """Whether what is said of a word needs none behind it: such a model answers as words come.

        Example:
            >>> RecurrentConfig(bidirectional=False).reads_forward
            True
        """
        return self.cell != "none" and not self.bidirectional

    @property
    def has_gates(self) -> bool:
        """Whether its recurrent layers have gates, as GRU and LSTM do.

        Example:
            >>> RecurrentConfig(cell="gru").has_gates, RecurrentConfig(cell="rnn").has_gates
            (True, False)
        """
        return self.cell not in ("none", "rnn")

    @property
    def layer_jit(self) -> bool | str:
        """What layers take as their argument `jit`."""
        return "auto" if self.jit else False


@dataclasses.dataclass(frozen=True)
class WordReaderConfig(RecurrentConfig):
    """What models have in common that may start from word vectors of others."""

    vectors: str = option(
        "trained",
        "What becomes of the vectors of --embeddings_file, or of the model that a run starts from: "
        "trained with the rest, or frozen.",
        choices=("trained", "frozen"),
        training_only=True,
    )


@dataclasses.dataclass(frozen=True)
class SpelledWordsConfig(WordReaderConfig):
    """What models have in common that read the bytes of a word too."""

    character_dim: int = option(32, "Units of each direction over the bytes of a word.", at_least=1)


@dataclasses.dataclass(frozen=True)
class TaggerConfig(SpelledWordsConfig):
    """What a `Tagger` is made of.

    Attributes:
        tags: the names of the tags; which of them never follow each other, says their scheme.
    """

    crf: bool = option(True, "CRF over whole sentences, or a softmax for each word.")
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ClassifierConfig(WordReaderConfig):
    """What a `Classifier` is made of.

    Attributes:
        labels: the names of the classes.
        max_length: most words of a text; `standard="concatenated"` has room for so many.

    Raises:
        ValueError: `adversarial` without an embedding.
    """

    units: int = changed(RecurrentConfig, "units", 64)
    pooling: str = option(
        "attention",
        "What of the recurrent layers is classified.",
        choices=("last", "max", "mean", "attention"),
    )
    inputs: str = option("embedding", "What stands for a word.", choices=("embedding", "one_hot"))
    standard: str = option(
        "bag",
        "What the standard network of --cell=none reads: a bag of words, or one-hot vectors of all "
        "words up to --max_length side by side.",
        choices=("bag", "concatenated"),
    )
    adversarial: float = option(
        0.0,
        "Train also on embeddings that are moved against the model by such a share of their length "
        "(Miyato et al. 2017), such as 0.02; 0: not. A step takes twice as long; one-hot words are "
        "not moved.",
        at_least=0,
        at_most=1,
        training_only=True,
    )
    labels: tuple[str, ...] = ()
    max_length: int = 400

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adversarial and (self.inputs != "embedding" or self.is_concatenated):
            raise ValueError(
                "adversarial: expected 0 where words are one-hot vectors, which are not moved, by "
                f"inputs='one_hot' or standard='concatenated'. Received: {self.adversarial}"
            )

    @property
    def is_concatenated(self) -> bool:
        """Whether it reads one-hot vectors side by side.

        Example:
            >>> ClassifierConfig(cell="none", standard="concatenated").is_concatenated
            True
        """
        return self.cell == "none" and self.standard == "concatenated"


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig(RecurrentConfig):
    """What a `LanguageModel` is made of.

    Attributes:
        rows: of running text in training: sequences whose states are carried from batch to batch;
            0 for sentences, each of which starts anew.

    Raises:
        ValueError: two directions, or none: what is yet to come is what a language model predicts.
    """

    units: int = changed(RecurrentConfig, "units", 256)
    bidirectional: bool = changed(
        RecurrentConfig,
        "bidirectional",
        False,
        "Expected off: what is yet to come is what the model predicts.",
    )
    embedding_dim: int = changed(RecurrentConfig, "embedding_dim", 128)
    dropout: float = changed(RecurrentConfig, "dropout", 0.2)
    word_dropout: float = changed(RecurrentConfig, "word_dropout", 0.0)
    tied: bool = option(True, "Output weights are the embedding.")
    weight_dropout: float = _share(0.0, "Share of recurrent weights dropped.")
    sampled_softmax: int = option(
        0,
        "Compare with so many words a step in training, by which the loss that it shows is lower "
        "than that of all; 0: with all.",
        at_least=0,
        training_only=True,
    )
    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_reads_forward(self, "a language model")


@dataclasses.dataclass(frozen=True)
class WordPredictorConfig(SpelledWordsConfig):
    """What a `WordPredictor`, from which a classifier or tagger starts, is made of.

    Attributes:
        character_dim: 0 where it reads words alone.
    """

    character_dim: int = 0
    dropout: float = changed(RecurrentConfig, "dropout", 0.2)
    word_dropout: float = 0.0
    samples: int = option(
        1024, "Words beside the right ones that a training step compares with.", at_least=1
    )


@dataclasses.dataclass(frozen=True)
class EncoderDecoderConfig(RecurrentConfig):
    """What an `EncoderDecoder` is made of.

    `units`, `depth` and `cell` are those of encoder and decoder; `bidirectional` says how the
    encoder reads, since a decoder writes forward. `vocabulary_size` counts what is written.

    Attributes:
        source_vocabulary_size: number of token ids of what is read, padding and `<UNK>` included;
            0: the same tokens as those written, one vocabulary for both.

    Raises:
        ValueError: no recurrent layer, or input feeding without attention.
    """

    units: int = changed(RecurrentConfig, "units", 256)
    embedding_dim: int = changed(RecurrentConfig, "embedding_dim", 256)
    dropout: float = changed(RecurrentConfig, "dropout", 0.3)
    word_dropout: float = changed(RecurrentConfig, "word_dropout", 0.0)
    attention: str = option(
        "general",
        "How the decoder looks at the source; none: it starts from the encoder's last states, and "
        "that is all it knows.",
        choices=("none", "additive", "dot", "general"),
    )
    input_feeding: bool = option(False, "The decoder reads what attention gave one step before.")
    tied: bool = option(
        True, "Output weights are the embedding, the source's too with one vocabulary for both."
    )
    label_smoothing: float = _share(
        0.1, "Share of the right token's probability that training spreads over all tokens."
    )
    source_vocabulary_size: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cell == "none":
            raise ValueError("cell: expected a recurrent layer. Received: 'none'")
        if self.input_feeding and self.attention == "none":
            raise ValueError(
                "input_feeding: expected False without attention, since what is fed is what "
                "attention gave. Received: True and attention='none'"
            )


# The keys of a piano: MIDI numbers from A0 to C8.
LOWEST_KEY, HIGHEST_KEY = 21, 108
KEYS = HIGHEST_KEY - LOWEST_KEY + 1


@dataclasses.dataclass(frozen=True)
class MusicConfig(RecurrentConfig):
    """What a `MusicModel` is made of.

    Its words are the keys of a piano, and what it reads are frames: it needs no embedding.

    Attributes:
        rows: of pieces in training: sequences whose states are carried from batch to batch; 0 for
            pieces that are whole, each of which starts anew.

    Raises:
        ValueError: two directions, or none: what is yet to come is what it predicts.
    """

    units: int = changed(RecurrentConfig, "units", 256)
    bidirectional: bool = changed(
        RecurrentConfig,
        "bidirectional",
        False,
        "Expected off: what is yet to come is what the model predicts.",
    )
    embedding_dim: int = 0
    dropout: float = changed(RecurrentConfig, "dropout", 0.3)
    word_dropout: float = 0.0
    key_dropout: float = _share(0.0, "Share of sounding keys that training does not read.")
    output: str = option(
        "chained",
        "How the keys of a frame are predicted: each by itself, or each given the lower ones.",
        choices=("independent", "chained"),
    )
    chain_units: int = option(
        128, "Units of the hidden layer through which keys are chained.", at_least=1
    )
    vocabulary_size: int = KEYS
    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_reads_forward(self, "a model of music")


def _check_reads_forward(config: RecurrentConfig, what: str) -> None:
    """Raises ValueError where what predicts the next step does not read those before it."""
    if config.bidirectional:
        raise ValueError(
            f"bidirectional: {what} reads forward only: what is yet to come is what it predicts. "
            "Received: True"
        )
    if config.cell == "none":
        raise ValueError("cell: expected a recurrent layer. Received: 'none'")


# By task: what its models are made of.
MODELS: dict[str, type[RecurrentConfig]] = {
    "ner": TaggerConfig,
    "pos": TaggerConfig,
    "sentiment": ClassifierConfig,
    "lm": LanguageModelConfig,
    "translate": EncoderDecoderConfig,
    "music": MusicConfig,
}
