"""Reads tagged sentences: column files, CoNLL-U, TensorFlow Datasets, and the demo corpus."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.data import builders, columns, corpora, formats
from tasks.data.corpora import SPLITS
from tasks.data.errors import DataError
from tasks.data.names import check_name
from tasks.tagging import demo
from zoo.text.tags import Sentence, split_tag, to_bio

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

TASKS = ("ner", "pos")
# What a builder of TensorFlow Datasets may call its tags, the likeliest first.
TAG_FEATURES = {"ner": ("ner_tags", "ner", "tags"), "pos": ("upos", "pos_tags", "pos", "xpos")}
TOKEN_FEATURE = "tokens"
HEAD_FEATURE = "head"

UPOS, UNSPECIFIED = 3, "_"

# What CoNLL-2000 and 2003 tag beside entities, as B-NP: phrases.
_PHRASES = frozenset(
    ["ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"]
)
_TOKEN_NAMES = frozenset(["token", "tokens", "word", "words", "form"])
_TAG_NAMES = frozenset(["tag", "tags", "label", "pos", "upos", "ner", "ner_tag", "ner_tags"])


def read_tagged_file(
    path: str | os.PathLike,
    task: str,
    token_column: int | None = None,
    tag_column: int | None = None,
) -> list[Sentence]:
    """Reads a file with a token and its tag on each line, in columns or in CoNLL-U, see
    `tasks.data.columns`.

    Tokens are in the first column, or behind one that numbers them. Tags are in the last column;
    for `"ner"`, in the only one that holds tags of entities, where there is just one. In CoNLL-U
    they are the universal parts of speech. For `"ner"`, tags come back as BIO, whatever scheme the
    file is in.

    Args:
        path: of the file.
        task: `"ner"` or `"pos"`.
        token_column, tag_column: which columns hold them, from 0, or from the end below 0.

    Raises:
        DataError: the file cannot be read, is of another kind, holds no sentence or has a malformed
            line; a tag is no single line, or for `"ner"` fits no scheme; or it is not clear which
            columns are meant.

    Example:
        >>> import pathlib
        >>> pathlib.Path("train.conll").write_text("1 Teddy B-PER\\n2 smiled O\\n")
        25
        >>> read_tagged_file("train.conll", "ner")[0]
        Sentence(tokens=('Teddy', 'smiled'), tags=('B-PER', 'O'))
    """
    _check_task(task)
    file = formats.read(path)
    kind = formats.recognise(file)
    if kind is formats.Kind.JSON or (kind is formats.Kind.TABLE and file.ending == ".csv"):
        raise DataError(
            f"{path}: expected a token and its tag on each line, with TABs or blanks between, in a "
            f"file such as train.conll, found {kind.value}"
        )
    if kind is formats.Kind.CONLLU:
        if task == "ner" and tag_column is None:
            raise DataError(
                f"{path}: expected a file of columns with entity tags for ner, found a CoNLL-U "
                "file, which holds parts of speech; --tag_column says where entity tags are"
            )
        blocks = columns.read_conllu(file)
        tokens, tags = columns.CONLLU_TOKEN, UPOS
        if token_column is not None:
            tokens = columns.check_index(blocks, token_column, "token_column")
        if tag_column is not None:
            tags = columns.check_index(blocks, tag_column, "tag_column")
    else:
        blocks = columns.read_columns(file)
        tokens = columns.find_tokens(file, blocks, token_column)
        tags = _find_tags(file, blocks, task, tokens, tag_column)
    if tokens == tags:
        raise DataError(f"{path}: expected tokens and tags in two columns, found {tokens} for both")
    first = blocks[0].words[0]
    token, tag = first.cells[tokens], first.cells[tags]
    if token.lower() in _TOKEN_NAMES and tag.lower() in _TAG_NAMES:
        raise DataError(
            f"{first.place}: expected a token and its tag, found {token} and {tag}, which are "
            "names of columns; take the line out"
        )
    known: set[str] = set()
    for row in (row for block in blocks for row in block.words):
        token, tag = row.cells[tokens], row.cells[tags]
        if not token or tag not in known:
            _check(token, tag, row.place, task, kind is formats.Kind.CONLLU)
            known.add(tag)
    pairs = zip(columns.column(blocks, tokens), columns.column(blocks, tags), strict=True)
    sentences = [Sentence(tuple(some), tuple(names)) for some, names in pairs]
    return _as_bio(sentences) if task == "ner" else sentences


def _check(token: str, tag: str, place: str, task: str, conllu: bool) -> None:
    if not token or not tag or (conllu and tag == UNSPECIFIED):
        raise DataError(
            f"{place}: expected a token and a tag, found token {token!r} and tag {tag!r}"
        )
    check_name(tag, place, "tag")
    if task == "ner":
        try:
            split_tag(tag)
        except ValueError as error:
            raise DataError(f"{place}: {error}; --tag_column says where tags are") from None


def _find_tags(
    file: formats.TextFile,
    blocks: Sequence[columns.Block],
    task: str,
    tokens: int,
    given: int | None,
) -> int:
    """The column of the tags."""
    if given is not None:
        return columns.check_index(blocks, given, "tag_column")
    count = len(blocks[0].rows[0].cells)
    last = count - 1
    types = [_entity_types(columns.column(blocks, index)) for index in range(count)]
    entities = [i for i in range(tokens + 1, count) if types[i] and not types[i] <= _PHRASES]
    if task == "ner" and len(entities) == 1:
        if entities != [last]:
            print(f"{file.path}: tags are read from column {entities[0]}.", file=sys.stderr)
        return entities[0]
    if task == "ner" and entities:
        found = f"found them in columns {' and '.join(map(str, entities))}"
    elif task == "pos" and types[last]:
        found = f"found entities or phrases in the last one, {last}"
    elif task == "pos" and tokens and last > tokens + 1:
        found = f"found columns {tokens + 1} to {last} behind the tokens"
    else:
        return last
    kind = "entity tags" if task == "ner" else "parts of speech"
    raise DataError(
        f"{file.path}: expected {kind} in one column, {found}; --tag_column says which to read"
    )


def _entity_types(sentences: Iterable[Sequence[str]]) -> set[str]:
    """The types in a column of entity tags; of another column, none."""
    tags = {tag for some in sentences for tag in some}
    if not formats.are_entity_tags(tags):
        return set()
    return {split_tag(tag)[1] for tag in tags} - {""}


def read_tfds(
    name: str, split: str, task: str, data_dir: str | os.PathLike | None = None
) -> list[Sentence]:
    """Reads a split of a TensorFlow Datasets builder that has tokens and tags.

    Downloads and prepares the data the first time. For `"ner"`, the tags come back as BIO. In a
    treebank, rows that are no words (multiword tokens, empty nodes) are dropped.

    Args:
        name: builder and configuration, such as `"wikiann/en"`.
        split: a split of the builder; one called dev counts as `"validation"`.
        task: `"ner"` or `"pos"`: which features may hold the tags, see `TAG_FEATURES`.
        data_dir: where TensorFlow Datasets keeps its data, by default ~/tensorflow_datasets.

    Raises:
        DataError: there is no such builder or split, its data cannot be had, or its features are
            not those of a tagging task.
    """
    readers = _tfds_readers(name, task, data_dir)
    if split not in readers:
        raise DataError(f"tfds:{name}: expected a split {split!r}, found {', '.join(readers)}")
    return readers[split]()


def load_corpus(
    data: str,
    task: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    token_column: int | None = None,
    tag_column: int | None = None,
) -> dict[str, list[Sentence]]:
    """Loads the splits of a corpus for a tagging task.

    Where a corpus has no validation split, a tenth of its training sentences, drawn by `seed`, is
    held out for it: "train" is then the rest, and has all tags.

    Args:
        data: `"demo"`, the built-in corpus (always the same one, whatever the seed); `"tfds:NAME"`,
            a TensorFlow Datasets builder; or `"files"`.
        task: `"ner"` (tags come as BIO) or `"pos"`.
        files: for `"files"`, the path of each split, or None.
        splits: the splits wanted, of train, validation, test.
        seed: of what is held out.
        optional: splits that are left out where the corpus has none.
        token_column, tag_column: of files, see `read_tagged_file`.

    Raises:
        DataError: `data` is unknown, a split cannot be had, or its data cannot be read.

    Example:
        >>> corpus = load_corpus("demo", "ner", {}, ["train", "validation"])
        >>> len(corpus["train"]), len(corpus["validation"])
        (3000, 400)
    """
    _check_task(task)
    return corpora.load(
        data,
        files,
        splits,
        seed,
        optional,
        demo=demo.ner if task == "ner" else demo.pos,
        read_file=lambda path: read_tagged_file(path, task, token_column, tag_column),
        read_builder=functools.partial(_tfds_readers, task=task),
        names_of=lambda sentence: sentence.tags,
    )


def _check_task(task: str) -> None:
    if task not in TASKS:
        raise ValueError(f"task: expected one of {', '.join(TASKS)}. Received: {task!r}")


def _as_bio(sentences: list[Sentence]) -> list[Sentence]:
    return [Sentence(tokens, tuple(to_bio(tags))) for tokens, tags in sentences]


# --- TensorFlow Datasets


def _tfds_readers(
    name: str, task: str, data_dir: str | os.PathLike | None = None
) -> dict[str, Callable[[], list[Sentence]]]:
    """What reads each split, under our name of the split where we have one."""
    _check_task(task)
    builder = builders.builder(name, data_dir)
    tag_feature = _tfds_tag_feature(name, builder.info.features, task)
    builders.prepare(builder, name)
    return {
        builders.split_name(split): functools.partial(
            _tfds_sentences, name, builder, split, tag_feature, task
        )
        for split in builder.info.splits
    }


def _tfds_tag_feature(name: str, features: Mapping[str, Any], task: str) -> str:
    """Which feature holds the tags of the task."""
    import tensorflow_datasets as tfds

    def is_sequence(feature: tfds.features.FeatureConnector) -> bool:
        if not isinstance(feature, tfds.features.Sequence):
            return False
        inner = getattr(feature, "feature", None)
        kind, shape = getattr(inner, "tf_dtype", None), getattr(inner, "shape", None)
        is_text = kind == "string" and shape == ()
        return is_text or isinstance(inner, tfds.features.ClassLabel)

    sequences = [key for key in features if is_sequence(features[key])]
    tag_feature = next((key for key in TAG_FEATURES[task] if key in sequences), None)
    if TOKEN_FEATURE not in sequences or tag_feature is None:
        raise DataError(
            f"tfds:{name}: expected sequences {TOKEN_FEATURE} and, for {task}, "
            f"{' or '.join(TAG_FEATURES[task])}, found {', '.join(features)}"
        )
    return tag_feature


def _tfds_sentences(
    name: str, builder: tfds.core.DatasetBuilder, split: str, tag_feature: str, task: str
) -> list[Sentence]:
    features = builder.info.features
    wanted = [key for key in (TOKEN_FEATURE, tag_feature, HEAD_FEATURE) if key in features]
    tag_names = getattr(features[tag_feature].feature, "names", None)
    place = f"tfds:{name}, split {split}"
    sentences = []
    for row in builders.sequences_of(builder, split, wanted):
        tokens = [builders.decoded(token, place) for token in row[0]]
        tags = [
            _tfds_tag(tag, tag_names, place) if tag_names else builders.decoded(tag, place)
            for tag in row[1]
        ]
        if len(tokens) != len(tags):
            raise DataError(
                f"{place}: expected a tag for each token, "
                f"found {len(tokens)} tokens and {len(tags)} tags"
            )
        if not (all(tokens) and all(tags)):
            token, tag = next(pair for pair in zip(tokens, tags, strict=True) if not all(pair))
            raise DataError(
                f"{place}: expected tokens and tags, found token {token!r} and tag {tag!r}"
            )
        # In a treebank, only words have a head: not the surface form "don't" of the words
        # "do" and "n't", nor a word that the sentence leaves out.
        is_word = [head.isdigit() for head in row[2]] if len(row) > 2 else [True] * len(tokens)
        if task == "pos":
            is_word = [w and tag != UNSPECIFIED for w, tag in zip(is_word, tags, strict=True)]
        for tag in itertools.compress(tags, is_word):
            check_name(tag, place, "tag")
        if any(is_word):
            sentences.append(
                Sentence(
                    tuple(itertools.compress(tokens, is_word)),
                    tuple(itertools.compress(tags, is_word)),
                )
            )
    if not sentences:
        raise DataError(f"tfds:{name}: expected sentences in the split {split!r}, found none")
    if task == "pos":
        return sentences
    try:
        return _as_bio(sentences)
    except ValueError as error:
        raise DataError(f"tfds:{name}, feature {tag_feature}: {error}") from None


def _tfds_tag(number: int, names: Sequence[str], place: str) -> str:
    if not 0 <= number < len(names):
        raise DataError(f"{place}: expected the number of one of {len(names)} tags, found {number}")
    return names[number]
