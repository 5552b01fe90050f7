"""`--mode=directions` of tasks.ner: why a network reads in both directions.

The lecture's question: is "Teddy" a name? "He said, Teddy Roosevelt was a great President" and "He
said, Teddy bears are on sale" are the same up to that word: a network that has not read on cannot
tell.
"""

from __future__ import annotations

import os
import tempfile

from tasks.data.errors import UserError
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from tasks.tagging import demo
from zoo import files


def directions_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Trains the same network in both directions and forward only, on the built-in corpus, and
    counts how often each is right at the words that only the words behind them decide."""
    if config.data.data != "demo":
        raise UserError(
            f"--mode=directions is about the built-in corpus. Received: --data={config.data.data}"
        )
    folder = run.model_dir or tempfile.mkdtemp(prefix="directions-")
    found: dict[str, float] = {}
    for name, bidirectional in (("bidirectional", True), ("forward_only", False)):
        print(f"\n{name.replace('_', ' ')}:", flush=True)
        network = config.replace(bidirectional=bidirectional)
        trained = train(task, network, os.path.join(folder, name))
        sentences = trained.trainer.corpus["test"]
        predicted = trained.trainer.predictor(trained.model)("test")
        numbers = {id(sentence): i for i, sentence in enumerate(sentences)}
        cases = demo.ambiguous(sentences)
        right = [predicted[numbers[id(s)]][i] == s.tags[i] for s, i in cases]
        found[name] = sum(right) / len(right)
    print(
        f'\nIs "Teddy" a name? Only the words after it tell. Right at such words ({len(cases)} of '
        f"the test split): both directions {found['bidirectional']:.1%}, forward only "
        f"{found['forward_only']:.1%}."
    )
    results = {"command": run.command, "accuracy_at_ambiguous_words": found, "machine": machine()}
    files.write_json(os.path.join(folder, "directions.json"), results)
    print(f"Logs, directions.json: {folder}")
