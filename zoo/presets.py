"""The recipes: what trains each model of the zoo, as flags of its task."""

from __future__ import annotations

from typing import Any

_IMDB = {
    "data": "tfds:imdb_reviews",
    "max_length": 512,
    "word_dropout": 0.3,
    "average": 0.998,
    "epochs": 4,
}

# By task, by name: what `python -m tasks.TASK --preset=NAME` sets.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "ner": {
        "wikiann": {"data": "tfds:wikiann/en", "epochs": 24, "units": 150},
    },
    "pos": {
        "en_ewt": {"data": "tfds:universal_dependencies/en_ewt", "epochs": 16, "units": 150},
    },
    "sentiment": {
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
        },
    },
}
