"""`--mode=agreement`: does the verb agree with its subject, and over how many words?

The lecture's reason for gates, measured: "The cat, which already ate ..., was full" and "The cats,
which already ate ..., were full". Of a sentence that is not in the training split, the model reads
the beginning; it is right where the verb that agrees gets the higher probability.
"""

from __future__ import annotations

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tasks.framework import figures, flags
from tasks.framework import fitting as train
from tasks.framework import task as program
from tasks.framework.machine import machine
from tasks.language import demo as demo_language
from zoo import files

CELLS = ("rnn", "gru", "lstm")
CASES = 100


def shares(model: keras.Model, reader) -> dict[int, float]:
    """The share of right verbs by the number of words between subject and verb."""
    cases = demo_language.agreements(demo_language.DISTANCES, CASES)
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


def agreement_mode(task: program.Task) -> None:
    """Trains each kind of cell on the built-in corpus, and shows a table and a plot."""
    if flags.DATA.value != "demo":
        raise flags.UserError(
            f"--mode=agreement is about the built-in corpus. Received: --data={flags.DATA.value}"
        )
    folder = flags.MODEL_DIR.value or tempfile.mkdtemp(prefix="agreement-")
    found, seconds = {}, {}
    for cell in CELLS:
        config = {"task": task.name, **flags.recipe(*task.own_flags), "cell": cell}
        model_dir = os.path.join(folder, cell)
        train.claim_folder(model_dir, config)
        trainer = task.trainer(program.load(task, ["train", "validation"]), model_dir)
        model = trainer.build(cell=cell)
        print(f"\n{cell}: {model.count_params():,} parameters", flush=True)
        history = trainer.fit(model, trainer.predictor(model), model_dir)
        found[cell] = shares(model, trainer.tokens)
        seconds[cell] = sum(row["seconds"] for row in history)
    distances = demo_language.DISTANCES
    print("\nShare of right verbs by the words between subject and verb:")
    print("      ", " ".join(f"{d:>5d}" for d in distances))
    for cell, row in found.items():
        print(
            f"{cell:6s}", " ".join(f"{row[d]:5.0%}" for d in distances), f"{seconds[cell]:4.0f} s"
        )
    results = {
        "command": program.command(),
        "cases": CASES,
        "shares": found,
        "training_seconds": seconds,
        "machine": machine(),
    }
    files.write_json(os.path.join(folder, "agreement.json"), results)
    path = os.path.join(folder, "agreement.png")
    figures.lines(found, path, "words between subject and verb", "right verbs")
    print(f"Logs, agreement.json, agreement.png: {folder}")
