"""Reads tagged sentences: column files, CoNLL-U, TensorFlow Datasets, and the demo corpus."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tasks.data import builders, corpora
from tasks.data.corpora import BLANKS, SPLITS
from tasks.framework.errors import DataError
from tasks.tagging import demo
from zoo.text.tags import Sentence, split_tag, to_bio

TASKS = ("ner", "pos")
# What a builder of TensorFlow Datasets may call its tags, the likeliest first.
TAG_FEATURES = {"ner": ("ner_tags", "ner", "tags"), "pos": ("upos", "pos_tags", "pos", "xpos")}
TOKEN_FEATURE = "tokens"
HEAD_FEATURE = "head"

DOCUMENT_START = "-DOCSTART-"

CONLLU_COLUMNS = 10
CONLLU_FIELDS = {"upos": 3, "xpos": 4}
UNSPECIFIED = "_"

_RUN_OF_BLANKS = re.compile(f"[{BLANKS}]+")
_EXAMPLES_AT_ONCE = 1024


def read_conll(
    path: str | os.PathLike,
    tag_column: int = -1,
    token_column: int = 0,
    check_tag: Callable[[str], object] | None = None,
) -> list[Sentence]:
    """Reads a file with one token a line, in two or more columns; a blank line ends a sentence.

    A line with a TAB is split at TABs only, any other at runs of spaces. Lines that hold nothing
    but blanks or TABs count as blank. `-DOCSTART-` lines are skipped, and so are comments before a
    sentence (`# sent_id = 3`), which start with "# " and are not in the columns of the file.

    Args:
        path: a UTF-8 file; Windows line ends and a byte order mark do no harm.
        tag_column: which column holds the tag; by default the last.
        token_column: which column holds the token.
        check_tag: called with each tag; its ValueError becomes a DataError that names the line.

    Raises:
        DataError: the file cannot be read, holds no sentence, or has a malformed line.

    Example:
        >>> with open("train.conll", "w") as file:
        ...     _ = file.write("Teddy B-PER\\nsmiled O\\n")
        >>> read_conll("train.conll")[0]
        Sentence(tokens=('Teddy', 'smiled'), tags=('B-PER', 'O'))
    """
    lines = list(corpora.lines(path))
    # The first line that is surely no comment says how many columns there are.
    first, model = next(
        ((n, line) for n, line in lines if line and not line.startswith(("# ", DOCUMENT_START))),
        (1, ""),
    )
    columns = len(_cells(model))
    needed = max(2, *(c + 1 if c >= 0 else -c for c in (token_column, tag_column)))

    def rows() -> Iterator[tuple[str, str] | None]:
        at_start = True
        for number, line in lines:
            cells = _cells(line)
            if not line or cells[0] == DOCUMENT_START:
                at_start = True
                yield None
                continue
            if at_start and _is_comment(line, model):
                continue
            at_start = False
            place = f"{path}:{number}"
            if len(cells) < needed:
                raise DataError(f"{place}: expected {needed} or more columns, found {len(cells)}")
            if len(cells) != columns:
                raise DataError(
                    f"{place}: expected {columns} columns, as in line {first}, found {len(cells)}"
                )
            token, tag = cells[token_column], cells[tag_column]
            if not (token and tag):
                raise DataError(
                    f"{place}: expected a token and a tag, found token {token!r} and tag {tag!r}"
                )
            if check_tag is not None:
                try:
                    check_tag(tag)
                except ValueError as error:
                    raise DataError(f"{place}: {error}") from None
            yield token, tag

    return _sentences(path, rows())


def read_conllu(path: str | os.PathLike, field: str = "upos") -> list[Sentence]:
    """Reads the words of a CoNLL-U file and one of their fields.

    Multiword tokens (3-4) and empty nodes (5.1) are skipped: what remains are the words which
    Universal Dependencies counts.

    Args:
        path: a UTF-8 file.
        field: `"upos"` or `"xpos"`.

    Raises:
        DataError: the file cannot be read, holds no sentence, or has a malformed line.
    """
    if field not in CONLLU_FIELDS:
        raise ValueError(f"field: expected one of {', '.join(CONLLU_FIELDS)}. Received: {field!r}")

    def rows() -> Iterator[tuple[str, str] | None]:
        words = 0
        for number, line in corpora.lines(path):
            if not line:
                words = 0
                yield None
                continue
            if line.startswith("#"):
                continue
            place = f"{path}:{number}"
            cells = [cell.strip(BLANKS) for cell in line.split("\t")]
            if len(cells) != CONLLU_COLUMNS:
                raise DataError(
                    f"{place}: expected {CONLLU_COLUMNS} columns separated by TABs, "
                    f"found {len(cells)}"
                )
            word_id, token, tag = cells[0], cells[1], cells[CONLLU_FIELDS[field]]
            if re.fullmatch(r"\d+-\d+|\d+\.\d+", word_id):
                continue
            words += 1
            if word_id != str(words):
                raise DataError(f"{place}: expected word {words} of a sentence, found {word_id!r}")
            if not token or tag in ("", UNSPECIFIED):
                raise DataError(
                    f"{place}: expected a word and its {field}, "
                    f"found word {token!r} and {field} {tag!r}"
                )
            yield token, tag

    return _sentences(path, rows())


def read_tagged_file(path: str | os.PathLike, task: str) -> list[Sentence]:
    """Reads a file for a task: CoNLL-U if its name ends in .conllu, otherwise columns.

    For `"ner"`, the tags come back as BIO, whatever scheme the file is in.

    Raises:
        DataError: as `read_conll` and `read_conllu`; or a tag for "ner" fits no scheme.
    """
    _check_task(task)
    is_conllu = Path(path).suffix.lower() == ".conllu"
    if task == "pos":
        return read_conllu(path) if is_conllu else read_conll(path)
    if is_conllu:
        raise DataError(
            f"{path}: expected a file of columns with entity tags for ner, found a CoNLL-U file, "
            "which holds parts of speech"
        )
    return _as_bio(read_conll(path, check_tag=split_tag))


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
) -> dict[str, list[Sentence]]:
    """Loads the splits of a corpus for a tagging task.

    Where a corpus has no validation split, a tenth of its training sentences, drawn by `seed`, is
    held out for it: "train" is then the rest.

    Args:
        data: `"demo"`, the built-in corpus (always the same one, whatever the seed); `"tfds:NAME"`,
            a TensorFlow Datasets builder; or `"files"`.
        task: `"ner"` (tags come as BIO) or `"pos"`.
        files: for `"files"`, the path of each split, or None.
        splits: the splits wanted, of train, validation, test.
        seed: of what is held out.
        optional: splits that are left out where the corpus has none.

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
        read_file=functools.partial(read_tagged_file, task=task),
        read_builder=functools.partial(_tfds_readers, task=task),
    )


def _check_task(task: str) -> None:
    if task not in TASKS:
        raise ValueError(f"task: expected one of {', '.join(TASKS)}. Received: {task!r}")


def _as_bio(sentences: list[Sentence]) -> list[Sentence]:
    return [Sentence(tokens, tuple(to_bio(tags))) for tokens, tags in sentences]


# --- files


def _cells(line: str) -> list[str]:
    if "\t" in line:
        return [cell.strip(BLANKS) for cell in line.split("\t")]
    return _RUN_OF_BLANKS.split(line.strip(BLANKS))


def _is_comment(line: str, model: str) -> bool:
    """Whether the first line of a sentence is a comment, and not the token "#" in columns."""
    if not line.startswith("# "):
        return False
    cells = _cells(line)
    as_columns = ("\t" in line) == ("\t" in model) and len(cells) == len(_cells(model))
    return not as_columns or cells[2:3] == ["="]


def _sentences(path: str | os.PathLike, rows: Iterable[tuple[str, str] | None]) -> list[Sentence]:
    """Cuts rows (token, tag) into sentences at each None."""
    groups = itertools.groupby(rows, key=lambda row: row is None)
    sentences = [Sentence(*zip(*group, strict=True)) for ends, group in groups if not ends]
    if not sentences:
        raise DataError(f"{path}: expected one or more sentences, found none")
    return sentences


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


def _tfds_tag_feature(name: str, features: Mapping, task: str) -> str:
    """Which feature holds the tags of the task."""
    import tensorflow_datasets as tfds

    def is_sequence(feature) -> bool:
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


def _tfds_sentences(name: str, builder, split: str, tag_feature: str, task: str) -> list[Sentence]:
    import tensorflow_datasets as tfds

    features = builder.info.features
    wanted = [key for key in (TOKEN_FEATURE, tag_feature, HEAD_FEATURE) if key in features]
    # In batches, and only what is wanted: thousands of sentences in a second.
    batches = builder.as_dataset(
        split=split, decoders=tfds.decode.PartialDecoding(dict.fromkeys(wanted, True))
    ).ragged_batch(_EXAMPLES_AT_ONCE)
    tag_names = getattr(features[tag_feature].feature, "names", None)
    sentences = []
    for batch in batches:
        for row in zip(*(batch[key].to_list() for key in wanted), strict=True):
            tokens = [token.decode() for token in row[0]]
            tags = [tag_names[tag] if tag_names else tag.decode() for tag in row[1]]
            if len(tokens) != len(tags):
                raise DataError(
                    f"tfds:{name}, split {split}: expected a tag for each token, "
                    f"found {len(tokens)} tokens and {len(tags)} tags"
                )
            if not (all(tokens) and all(tags)):
                token, tag = next(pair for pair in zip(tokens, tags, strict=True) if not all(pair))
                raise DataError(
                    f"tfds:{name}, split {split}: expected tokens and tags, "
                    f"found token {token!r} and tag {tag!r}"
                )
            # In a treebank, only words have a head: not the surface form "don't" of the words
            # "do" and "n't", nor a word that the sentence leaves out.
            is_word = [head.isdigit() for head in row[2]] if len(row) > 2 else [True] * len(tokens)
            if task == "pos":
                is_word = [w and tag != UNSPECIFIED for w, tag in zip(is_word, tags, strict=True)]
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
