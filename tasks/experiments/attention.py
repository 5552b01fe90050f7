"""`--mode=attention` of tasks.translate: why attention came.

A plain encoder-decoder has to hold a whole sentence in the states that the encoder ends with. The
longer the sentence, the more it forgets; a decoder that looks back at every word does not.

Source: Bahdanau, Cho and Bengio 2015, figure 2.
"""

from __future__ import annotations

import os
import tempfile

from tasks.data.errors import UserError
from tasks.framework.configuration import TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from tasks.translation import demo, figures, scores
from tasks.translation.configuration import TranslationRun
from zoo import files

# By name: the flags of each network.
NETWORKS = {
    "RNN": {"cell": "rnn", "attention": "none"},
    "GRU": {"cell": "gru", "attention": "none"},
    "LSTM": {"cell": "lstm", "attention": "none"},
    "LSTM, attention": {"cell": "lstm"},
}
CLAUSES = (1, 2, 3, 4, 5, 6)
_PAIRS = 100


def attention_mode(task: Task, config: TaskConfig, run: TranslationRun) -> None:
    """Trains encoder-decoders without and with attention on the built-in corpus, and measures BLEU
    on new sentences of one to six clauses; training has up to three."""
    if config.data.data != "demo":
        raise UserError(
            f"--mode=attention is about the built-in corpus. Received: --data={config.data.data}"
        )
    own = sorted({name for flags in NETWORKS.values() for name in flags} & {*run.given})
    if own:
        raise UserError(
            f"--mode=attention: expected no --{own[0]}, since it trains {', '.join(NETWORKS)}"
        )
    folder = run.model_dir or tempfile.mkdtemp(prefix="attention-")
    tests = {clauses: demo.by_clauses(clauses, _PAIRS) for clauses in CLAUSES}
    words = {
        clauses: sum(len(pair.source.split()) for pair in pairs) / len(pairs)
        for clauses, pairs in tests.items()
    }
    found: dict[str, dict[float, float]] = {}
    seconds = {}
    for name, flags in NETWORKS.items():
        print(f"\n{name}:", flush=True)
        place = os.path.join(folder, name.replace(", ", "_").lower())
        trained = train(task, config.replace(**flags), place)
        seconds[name] = sum(row["seconds"] for row in trained.results.epochs)
        found[name] = {
            words[clauses]: scores.bleu(
                task.answers(pairs),
                [one.translation for one in task.predict_examples(trained.predictor, pairs)],
            )
            for clauses, pairs in tests.items()
        }
    print("\nBLEU on new sentences, by their clauses:\n")
    print(f"{'clauses (words)':16s}", *(f"{c} ({words[c]:.0f})".rjust(8) for c in CLAUSES))
    for name, row in found.items():
        print(f"{name:16s}", *(f"{value:8.1f}" for value in row.values()))
    figure = os.path.join(folder, "attention.png")
    figures.by_length(found, figure, "words of the source", "BLEU")
    results = {
        "command": run.command,
        "words": words,
        "pairs": _PAIRS,
        "bleu": {name: list(row.values()) for name, row in found.items()},
        "training_seconds": seconds,
        "machine": machine(),
    }
    files.write_json(os.path.join(folder, "attention.json"), results)
    print(f"\nattention.png, attention.json, logs: {folder}")
