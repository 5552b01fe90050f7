"""The recipes: what trains each model of the zoo, as flags of its task; and the entries."""

from __future__ import annotations

import dataclasses
from typing import Any

_IMDB = {
    "data": "tfds:imdb_reviews",
    "max_length": 512,
    "word_dropout": 0.3,
    "average": 0.998,
    "epochs": 4,
    "weights": "float16",
}

# By task, by name: what `python -m tasks.TASK --preset=NAME` sets.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "ner": {
        "demo": {"epochs": 8, "weights": "float16"},
        "wikiann": {
            "data": "tfds:wikiann/en",
            "epochs": 24,
            "units": 150,
            "weights": "float16",
        },
        # With --train_file and --valid_file.
        "wnut17": {"data": "files", "weights": "float16"},
    },
    "pos": {
        "en_ewt": {
            "data": "tfds:universal_dependencies/en_ewt",
            "epochs": 16,
            "units": 150,
            "weights": "float16",
        },
    },
    "sentiment": {
        "demo": {"weights": "float16"},
        "imdb": _IMDB,
        "imdb_pretrained": _IMDB
        | {
            "units": 128,
            "dropout": 0.3,
            "word_dropout": 0.1,
            "epochs": 5,
            "pretrain": True,
            "pretrain_epochs": 2,
        },
        # The lecture's standard network: V = 10,000 and 100 words, a million one-hot numbers.
        "imdb_concatenated": _IMDB
        | {
            "cell": "none",
            "standard": "concatenated",
            "vocab_size": 10_000,
            "max_length": 100,
            "units": 16,
        },
    },
    "lm": {
        "demo": {"weights": "float16"},
        "shakespeare": {
            "data": "tfds:tiny_shakespeare",
            "tokens": "characters",
            "running": True,
            "units": 512,
            "dropout": 0.4,
            "weight_dropout": 0.25,
            "batch_size": 64,
            "learning_rate": 0.004,
            "schedule": "cosine",
            "average": 0.99,
            "epochs": 24,
            "patience": 24,
            "weights": "float16",
        },
        # With --train_file and --valid_file: its words are what white space separates.
        "wikitext2": {
            "data": "files",
            "tokens": "split",
            "running": True,
            "vocab_size": 40_000,
            "units": 600,
            "embedding_dim": 200,
            "dropout": 0.4,
            "weight_dropout": 0.2,
            "window": 70,
            "sampled_softmax": 4_000,
            "schedule": "cosine",
            "average": 0.999,
            "epochs": 12,
            "patience": 12,
            "weights": "int8",
        },
    },
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is said of a model of the zoo that is not measured.

    Attributes:
        task: whose program trains it.
        preset: of the task: its recipe.
        purpose, not_for: in a sentence each.
        data, licence: what it was trained on.
        samples: texts whose answers its card shows.
        baseline: what flags train what it is compared with, and what that is.
        needs: flags with the paths of files, where the data are the user's own copy.
    """

    task: str
    preset: str
    purpose: str
    not_for: str
    data: str
    licence: str
    samples: tuple[str, ...]
    baseline: tuple[tuple[str, ...], str]
    needs: tuple[str, ...] = ()

    @property
    def recipe(self) -> list[str]:
        """The flags that train it."""
        return [f"--preset={self.preset}"]


_NO_RECURRENCE = (("--cell=none",), "the same network without recurrence")
_PLAIN_RNN = (("--cell=rnn",), "the same network of plain RNN cells")
_NAMES = (
    "Harry Potter and Hermione Granger invented a new spell.",
    "He said, Teddy Roosevelt was a great President!",
    "He said, Teddy bears are on sale!",
)
_SALADS = ("The apple and pair salad.", "The apple and pear salad.")
_CATS = (
    "The cat, which already ate the fish near the old barns, was full.",
    "The cat, which already ate the fish near the old barns, were full.",
    "The cats, which already ate the fish near the old barns, were full.",
)
_BUILT_IN = "written by this project"
_UNSEEN = "English of another kind than its corpus"

ENTRIES: dict[str, Entry] = {
    "ner_wikiann": Entry(
        *("ner", "wikiann"),
        "Finds persons, organisations and locations in English text.",
        f"{_UNSEEN}: the tags come from links of Wikipedia, not from annotators, many of its "
        "sentences are titles or lists, and capitalised words at odd places pass for names.",
        "WikiANN, English (Pan et al. 2017; split of Rahimi et al. 2019)",
        "text of Wikipedia, CC BY-SA",
        (*_NAMES, "Marie Curie worked at the University of Paris."),
        _NO_RECURRENCE,
    ),
    "ner_wnut17": Entry(
        *("ner", "wnut17"),
        "Finds persons, places, groups, companies, products and works in posts and comments.",
        "anything where a miss is dear: new names in noisy text are hard without large "
        "pre-trained models, and this one finds few of them.",
        "WNUT-17, emerging entities (Derczynski et al. 2017)",
        "CC BY 4.0",
        ("@bob have you seen Justin Bieber in Toronto ? #lol", _NAMES[0]),
        _NO_RECURRENCE,
        ("train_file", "valid_file"),
    ),
    "pos_ewt": Entry(
        *("pos", "en_ewt"),
        "Gives each word of English text its universal part of speech.",
        f"{_UNSEEN}; it saw blogs, e-mails, reviews and newsgroups.",
        "Universal Dependencies, English Web Treebank, release 2.10",
        "CC BY-SA 4.0",
        ("The apple and pear salad was fresh.", "Can you can a can?", _NAMES[0]),
        _NO_RECURRENCE,
    ),
    "sentiment_imdb": Entry(
        *("sentiment", "imdb_pretrained"),
        "Says whether an English film review praises or blames.",
        "texts that are no reviews of films; it has no class for what is neither.",
        "IMDB, Large Movie Review Dataset (Maas et al. 2011), its unlabelled reviews included",
        "none stated by its authors; research use",
        (
            "A wonderful film, with a warm and clever script.",
            "There is nothing to like in this movie.",
            "I expected to be bored, and I was not: it is the best film of the year.",
        ),
        (("--preset=imdb", "--cell=none"), "a bag of words"),
    ),
    "charlm_shakespeare": Entry(
        *("lm", "shakespeare"),
        "Goes on from a beginning in the manner of Shakespeare's plays, character by character.",
        "text other than Shakespeare's; of longer thoughts it makes no sense.",
        "Tiny Shakespeare (Karpathy 2015)",
        "public domain",
        ("ROMEO:\nI will go.", "xq zvvk"),
        _PLAIN_RNN,
    ),
    "lm_wikitext2": Entry(
        *("lm", "wikitext2"),
        "Gives the probability of English text of Wikipedia, word by word.",
        "text that is not split into words and punctuation with spaces in between; facts.",
        "WikiText-2 (Merity et al. 2017)",
        "CC BY-SA 3.0",
        ("The film was released in 2005 .", "The film were released in 2005 ."),
        _PLAIN_RNN,
        ("train_file", "valid_file"),
    ),
    "ner_demo": Entry(
        *("ner", "demo"),
        "Shows a tagger at work; trained in a minute.",
        "text other than sentences like its corpus'.",
        "the built-in sentences with names",
        _BUILT_IN,
        _NAMES,
        _NO_RECURRENCE,
    ),
    "sentiment_demo": Entry(
        *("sentiment", "demo"),
        "Shows a classifier at work; trained in a minute.",
        "text other than short reviews like its corpus'.",
        "the built-in reviews",
        _BUILT_IN,
        ("The plot was good, not bad.", "The plot was bad, not good."),
        _NO_RECURRENCE,
    ),
    "lm_demo": Entry(
        *("lm", "demo"),
        "Shows a language model at work: agreement over distance, pear and pair.",
        "text other than sentences like its corpus'.",
        "the built-in sentences",
        _BUILT_IN,
        (*_SALADS, *_CATS),
        _PLAIN_RNN,
    ),
}
