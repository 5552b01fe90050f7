"""Reads texts for language models: plain files, TensorFlow Datasets, the built-in sentences."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from tasks import corpora, demo_language, labelled
from tasks.corpora import HELD_OUT, SPLITS, DataError


def load_corpus(
    data: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    running: bool = False,
    text_column: str | None = None,
) -> dict[str, list[str]]:
    """Loads the splits of a corpus of texts, see `corpora.load`.

    Args:
        running: whether a file is one running text, or a text a line. Of a running text without a
            validation file, the last tenth is held out for it.
        text_column: what the text of a builder is called, by default the likeliest feature.

    Raises:
        DataError: the corpus cannot be read, or holds no text.
    """
    files = dict(files or {})
    read: Callable[[str], list[str]] = functools.partial(read_text_file, running=running)
    if data == "files" and running and files.get("train") and not files.get("validation"):
        whole = read(files["train"])[0]
        at = round(len(whole) * (1 - HELD_OUT))
        at = whole.rfind("\n", 0, at) + 1 or at
        parts = {"train": [whole[:at]], "validation": [whole[at:]]}
        if not all(part[0].strip() for part in parts.values()):
            raise DataError(f"{files['train']}: expected more text, to hold out a tenth of it")
        if files.get("test"):
            parts["test"] = read(files["test"])
        return corpora.load(
            "demo", None, [s for s in splits if s in parts or s not in optional], seed,
            demo=lambda: parts, read_file=read, read_builder=_builder_readers,
        )  # fmt: skip
    return corpora.load(
        data,
        files,
        splits,
        seed,
        optional,
        demo=demo_language.corpus,
        read_file=read,
        read_builder=functools.partial(_builder_readers, text_column=text_column),
    )


def read_text_file(path: str, running: bool = False) -> list[str]:
    """The lines of a UTF-8 file that are not blank; or all of it, as one text.

    Raises:
        DataError: the file cannot be read, or there is no text in it.
    """
    lines = [line for _, line in corpora.lines(path)]
    texts = ["\n".join(lines).removesuffix("\n")] if running else [line.strip() for line in lines]
    texts = [one for one in texts if one.strip()]
    if not texts:
        raise DataError(f"{path}: expected text, found none")
    return texts


def _builder_readers(name: str, text_column: str | None = None) -> dict[str, Callable]:
    builder = corpora.builder(name)
    feature = labelled.text_feature(name, builder.info.features, text_column)
    corpora.prepare(builder, name)

    def read(split: str) -> list[str]:
        return [one for (one,) in labelled.rows_of(builder, split, [feature])]

    return {
        corpora.split_name(split): functools.partial(read, split) for split in builder.info.splits
    }
