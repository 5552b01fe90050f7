"""Builders of TensorFlow Datasets: what readers of all tasks ask of them."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tasks.data.errors import DataError
from zoo.saving.versions import nearest

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

# What a builder may call its text, the likeliest first.
TEXT_FEATURES = ("text", "sentence", "review", "description", "content")
_EXAMPLES_AT_ONCE = 1024


def is_measured_with(split: str) -> bool:
    """Whether a split of a builder is one that models are measured with.

    Example:
        >>> [is_measured_with(name) for name in ("train", "unsupervised", "validation_matched")]
        [False, False, True]
    """
    return split.startswith(("valid", "dev", "test"))


def split_name(name: str) -> str:
    """Our name of a builder's split."""
    return "validation" if name == "dev" else name


def builder(name: str, data_dir: str | os.PathLike | None = None) -> tfds.core.DatasetBuilder:
    """A builder of TensorFlow Datasets by its name."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"tfds:{name}: expected the package tensorflow-datasets, found {reason(error)}"
        ) from error
    try:
        return tfds.builder(name, data_dir=data_dir)
    except Exception as error:
        what, like = _asked_for(name)
        found = "none of this name" if like else reason(error)
        raise DataError(f"tfds:{name}: expected {what}{like}, found {found}") from error


def _asked_for(name: str) -> tuple[str, str]:
    """What a name asks for; and if there is no such thing, ", such as" and some that there are."""
    import tensorflow_datasets as tfds

    asked, _, configuration = name.partition(":")[0].partition("/")
    what, known = (
        "a builder of TensorFlow Datasets",
        tfds.list_builders(with_community_datasets=False),
    )
    if asked in known and configuration:
        what, known = f"a configuration of {asked}", list(tfds.builder_cls(asked).builder_configs)
        asked = configuration
    if asked in known or not known:
        return what, ""
    return what, f", such as {', '.join(nearest(asked, known)[:3])}"


def prepare(builder: tfds.core.DatasetBuilder, name: str) -> None:
    """Downloads and prepares a builder's data, the first time."""
    # Whatever keeps a builder from its data (network, disk, checksums, a missing package), what
    # the user needs is the reason, not a trace through TensorFlow Datasets.
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise DataError(
            f"tfds:{name}: expected to download and prepare the data, found {reason(error)}"
        ) from error


def reason(error: Exception) -> str:
    """An exception as one short line."""
    lines = str(error).splitlines() or [""]
    return textwrap.shorten(f"{type(error).__name__}: {lines[0]}", 300, placeholder=" …")


def decoded(value: bytes, place: str) -> str:
    """A token or a tag of a builder.

    Raises:
        DataError: it is none in UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        byte = value[error.start]
        raise DataError(f"{place}: expected UTF-8, found byte 0x{byte:02x} in {value!r}") from None


def text_features(features: Mapping[str, Any]) -> list[str]:
    """The names of those that are texts."""
    import tensorflow_datasets as tfds

    return [key for key in features if isinstance(features[key], tfds.features.Text)]


def text_feature(name: str, features: Mapping[str, Any], wanted: str | None) -> str:
    """Which feature of a builder is its text."""
    texts = text_features(features)
    found = wanted or next((key for key in (*TEXT_FEATURES, *texts) if key in texts), None)
    if found is None or found not in texts:
        raise DataError(
            f"tfds:{name}: expected a text{f' {found!r}' if found else ''}, "
            f"found {', '.join(features)}"
        )
    return found


def rows_of(builder: tfds.core.DatasetBuilder, split: str, wanted: list[str]) -> Iterator[tuple]:
    """What the examples of a split hold under some features: texts and numbers."""
    for batch in _examples(builder, split, wanted).batch(_EXAMPLES_AT_ONCE).as_numpy_iterator():
        for row in zip(*(batch[key] for key in wanted), strict=True):
            yield tuple(
                v.decode("utf-8", "replace") if isinstance(v, bytes) else int(v) for v in row
            )


def texts(name: str) -> list[str]:
    """The texts of a builder, of all splits but those that models are measured with."""
    found = builder(name)
    feature = text_feature(name, found.info.features, None)
    prepare(found, name)
    splits = [split for split in found.info.splits if not is_measured_with(split)]
    return [text for split in splits for (text,) in rows_of(found, split, [feature])]


def sequences_of(
    builder: tfds.core.DatasetBuilder, split: str, wanted: list[str]
) -> Iterator[tuple]:
    """What they hold where features are sequences: lists of bytes and of numbers, or one of them
    alone."""
    for batch in _examples(builder, split, wanted).ragged_batch(_EXAMPLES_AT_ONCE):
        columns = (
            value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy().tolist()
            for value in (batch[key] for key in wanted)
        )
        yield from zip(*columns, strict=True)


def _examples(builder: tfds.core.DatasetBuilder, split: str, wanted: list[str]) -> tf.data.Dataset:
    """The examples of a split, always in one order, with some features alone."""
    import tensorflow_datasets as tfds

    some = {*wanted} < {*builder.info.features}
    return builder.as_dataset(
        split=split,
        # Partial decoding knows no features of translations; of them, all are wanted.
        decoders=tfds.decode.PartialDecoding(dict.fromkeys(wanted, True)) if some else None,
        # The splits of TensorFlow Datasets need not come in the same order twice, unless told.
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )
