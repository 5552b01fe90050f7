"""`--mode=agreement`: does the verb agree with its subject, and over how many words?

The lecture's reason for gates, measured: "The cat, which already ate ..., was full" and "The cats,
which already ate ..., were full". Of a sentence that is not in the training split, the model reads
the beginning; it is right where the verb that agrees gets the higher probability.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from tasks.framework import figures
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from tasks.language import demo
from tasks.language.task import LanguageTrainer
from zoo import files
from zoo.models import LanguageModel
from zoo.text.tokens import Tokens

CELLS = ("rnn", "gru", "lstm")
CASES = 100


def shares(model: LanguageModel, reader: Tokens) -> dict[int, float]:
    """The share of right verbs by the number of words between subject and verb."""
    cases = demo.agreements(demo.DISTANCES, CASES)
    beginnings = reader.ids(tf.constant([case.beginning for case in cases]))[:, :-1]
    verbs = reader.ids(tf.constant([v for case in cases for v in (case.right, case.wrong)]))
    right, wrong = verbs.to_tensor().numpy()[:, 0].reshape(-1, 2).T
    lengths = beginnings.row_lengths().numpy()
    ids = np.pad(beginnings.to_tensor().numpy(), [[0, 0], [1, 0]])
    mask = np.arange(ids.shape[1]) <= lengths[:, None]
    run = tf.function(model.run, autograph=False)
    a, _ = run(tf.constant(ids), model.zero_states(len(cases)), mask=tf.constant(mask))
    scores = model.scores(tf.gather(a, lengths, batch_dims=1)).numpy()
    each = np.arange(len(cases))
    better = scores[each, right] > scores[each, wrong]
    distances = np.array([case.distance for case in cases])
    return {int(d): float(np.mean(better[distances == d])) for d in np.unique(distances)}


def agreement_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Trains each kind of cell on the built-in corpus, and shows a table and a plot."""
    if config.data.data != "demo":
        raise UserError(
            f"--mode=agreement is about the built-in corpus. Received: --data={config.data.data}"
        )
    folder = run.model_dir or tempfile.mkdtemp(prefix="agreement-")
    found, seconds = {}, {}
    for cell in CELLS:
        print(f"\n{cell}:", flush=True)
        trained = train(task, config.replace(cell=cell), os.path.join(folder, cell))
        assert isinstance(trained.trainer, LanguageTrainer)
        assert isinstance(trained.model, LanguageModel)
        found[cell] = shares(trained.model, trained.trainer.tokens)
        seconds[cell] = sum(row["seconds"] for row in trained.results.epochs)
    distances = demo.DISTANCES
    print("\nShare of right verbs by the words between subject and verb:")
    print("      ", " ".join(f"{d:>5d}" for d in distances))
    for cell, row in found.items():
        print(
            f"{cell:6s}", " ".join(f"{row[d]:5.0%}" for d in distances), f"{seconds[cell]:4.0f} s"
        )
    results = {
        "command": run.command,
        "cases": CASES,
        "shares": found,
        "training_seconds": seconds,
        "machine": machine(),
    }
    files.write_json(os.path.join(folder, "agreement.json"), results)
    path = os.path.join(folder, "agreement.png")
    figures.lines(found, path, "words between subject and verb", "right verbs")
    print(f"Logs, agreement.json, agreement.png: {folder}")
