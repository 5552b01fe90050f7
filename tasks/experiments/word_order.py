"""`--mode=word_order` of tasks.sentiment: what a bag of words cannot know.

"The plot was good, not bad" and "The plot was bad, not good" have the same words: the lecture's
standard network on a bag of words can only guess.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np

from tasks.classification import demo
from tasks.data.errors import UserError
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from zoo import files

# A model to start from has one shape.
FROM_SCRATCH = {"pretrain": False, "pretrain_from": None, "init_from": None}


def word_order_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Trains a network and the standard one on a bag of words, on the built-in corpus, and counts
    how often each is right at reviews that have a twin of the same words and the opposite label."""
    if config.data.data != "demo":
        raise UserError(
            f"--mode=word_order is about the built-in corpus. Received: --data={config.data.data}"
        )
    folder = run.model_dir or tempfile.mkdtemp(prefix="word_order-")
    found: dict[str, float] = {}
    count = 0
    for name, changes in (
        ("this_model", {}),
        ("bag_of_words", {"cell": "none", "standard": "bag", **FROM_SCRATCH}),
    ):
        print(f"\n{name.replace('_', ' ')}:", flush=True)
        trained = train(task, config.replace(**changes), os.path.join(folder, name))
        reviews = trained.trainer.corpus["test"]
        predicted = trained.trainer.predictor(trained.model)("test")
        paired = demo.paired(reviews)
        count = len(paired)
        found[name] = float(np.mean([predicted[i].label == reviews[i].label for i in paired]))
    print(
        '\n"Good, not bad" or "bad, not good"? Only the order of the words tells. Right at such '
        f"reviews ({count} of the test split): this model {found['this_model']:.1%}, a bag of "
        f"words {found['bag_of_words']:.1%}."
    )
    results = {"command": run.command, "accuracy_at_paired_reviews": found, "machine": machine()}
    files.write_json(os.path.join(folder, "word_order.json"), results)
    print(f"Logs, word_order.json: {folder}")
