"""`--mode=agreement`: does the verb agree with its subject, past nouns that say otherwise?

The lecture's reason for gates, measured: "The cat, which already ate ..., was full" and "The cats,
which already ate ..., were full", here with nouns of the other number in between, the attractors of
`tasks.language.attractors`. Of a beginning that training does not have, a model is right where the
verb that agrees gets the higher probability.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from tasks.experiments import agreement_figures
from tasks.framework import tables
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from tasks.language import attractors
from tasks.language.attractors import Case
from tasks.language.configuration import LanguageConfig, LanguageRun
from tasks.language.task import Language, LanguageTrainer
from zoo import files
from zoo.catalog.results import portable
from zoo.models import LanguageModel
from zoo.text.tokens import Tokens

CELLS = ("rnn", "gru_simplified", "gru", "lstm")
SEEDS = 3
CASES = 200
# Of flags that are not given: small networks, since what any network does says nothing.
RECIPE = {"units": 64, "embedding_dim": 64, "dropout": 0.0, "epochs": 6}
# How distances are taken together, in words; those beyond are few.
BIN, BEYOND = 5, 50


class _Sentences(Language):
    """Language models of the sentences with attractors."""

    def load(
        self, config: LanguageConfig, splits: Sequence[str], optional: Sequence[str]
    ) -> dict[str, list[str]]:
        del config, optional
        return {split: attractors.corpus()[split] for split in splits}


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A cell and its units."""

    cell: str
    units: int

    @property
    def name(self) -> str:
        """Both, for tables."""
        return f"{self.cell}, {self.units} units"


def contestants(config: LanguageConfig) -> list[Contestant]:
    """Each cell with the units of the recipe, and the RNN once more, with as many recurrent
    parameters as that LSTM has.

    Example:
        >>> contestants(LanguageConfig.of(units=64, embedding_dim=64))[-1]
        Contestant(cell='rnn', units=152)
    """
    units, read = config.model.units, config.model.embedding_dim
    wanted = 4 * units * (units + read + 1)
    # n (n + read + 1) = wanted
    n = (-(read + 1) + np.sqrt((read + 1) ** 2 + 4 * wanted)) / 2
    return [*(Contestant(cell, units) for cell in CELLS), Contestant("rnn", round(float(n)))]


def right(model: LanguageModel, reader: Tokens, cases: Sequence[Case]) -> np.ndarray:
    """Which cases a model is right in, bool `[cases]`."""
    beginnings = reader.ids(tf.constant([case.beginning for case in cases]))[:, :-1]
    verbs = reader.ids(tf.constant([v for case in cases for v in (case.right, case.wrong)]))
    agrees, differs = verbs.to_tensor().numpy()[:, 0].reshape(-1, 2).T
    lengths = beginnings.row_lengths().numpy()
    ids = np.pad(beginnings.to_tensor().numpy(), [[0, 0], [1, 0]])
    mask = np.arange(ids.shape[1]) <= lengths[:, None]
    run = tf.function(model.run, autograph=False)
    a, _ = run(tf.constant(ids), model.zero_states(len(cases)), mask=tf.constant(mask))
    scores = model.scores(tf.gather(a, lengths, batch_dims=1)).numpy()
    each = np.arange(len(cases))
    return scores[each, agrees] > scores[each, differs]


# How cases are grouped: of which cases, and by what.
GROUPS: dict[str, tuple[bool, Callable[[Case], Any]]] = {
    "attractors": (False, lambda case: case.attractors),
    "distance": (False, lambda case: _binned(case.distance)),
    "clauses": (False, lambda case: case.clauses),
    "attractors, nouns seen beside their verb alone": (True, lambda case: case.attractors),
}


def _binned(distance: int) -> str:
    first = (distance - 1) // BIN * BIN + 1
    return f"{first}–{first + BIN - 1}" if distance <= BEYOND else f"over {BEYOND}"


def shares(model: LanguageModel, reader: Tokens) -> dict[str, dict[str, float]]:
    """The share of right verbs in each group, the groups in order."""
    found: dict[str, dict[str, float]] = {}
    asked = {
        beside: sorted(attractors.cases(CASES, beside), key=lambda case: case.distance)
        for beside in (False, True)
    }
    rights = {beside: right(model, reader, cases) for beside, cases in asked.items()}
    for name, (beside, group_of) in GROUPS.items():
        better, groups = rights[beside], [group_of(case) for case in asked[beside]]
        order = dict.fromkeys(groups) if isinstance(groups[0], str) else sorted(set(groups))
        found[name] = {
            str(group): float(np.mean(better[[one == group for one in groups]])) for group in order
        }
    return found


def agreement_mode(task: Task, config: LanguageConfig, run: LanguageRun) -> None:
    """Trains each kind of cell with several seeds, and shows a table and a figure.

    A run that was stopped goes on where it was, with --model_dir.
    """
    del task
    given = [f"--{name}" for name in ("model", "text", "input_file") if name in run.given]
    if given:
        raise UserError(
            "--mode=agreement trains networks of its own. Received: "
            f"{' and '.join(given)}; a trained model is asked with --mode=pairs"
        )
    if config.data.data != "demo":
        raise UserError(
            "--mode=agreement is about sentences of its own. Received: "
            f"--data={config.data.data}; for pairs of your own, see --mode=pairs"
        )
    config = config.replace(**{n: v for n, v in RECIPE.items() if n not in run.given})
    folder = run.model_dir or tempfile.mkdtemp(prefix="agreement-")
    rows = []
    for one in contestants(config):
        seeds, seconds, parameters = [], 0.0, 0
        for seed in range(config.training.seed, config.training.seed + SEEDS):
            print(f"\n{one.name}, seed {seed}:", flush=True)
            recipe = config.replace(cell=one.cell, units=one.units, seed=seed)
            trained = train(
                _Sentences(), recipe, os.path.join(folder, f"{one.cell}_{one.units}_{seed}")
            )
            assert isinstance(trained.trainer, LanguageTrainer)
            assert isinstance(trained.model, LanguageModel)
            seeds.append(shares(trained.model, trained.trainer.tokens))
            seconds += sum(row["seconds"] for row in trained.results.epochs)
            parameters = trained.results.parameters
        rows.append(
            {
                "network": one.name,
                "parameters": parameters,
                "seconds": seconds / len(seeds),
                "shares": {
                    name: {group: [seed[name][group] for seed in seeds] for group in seeds[0][name]}
                    for name in GROUPS
                },
            }
        )
    results = {"command": portable(run.command), "cases": CASES, "rows": rows, "machine": machine()}
    files.write_json(os.path.join(folder, "agreement.json"), results)
    agreement_figures.agreement(rows, os.path.join(folder, "agreement.png"))
    print(f"\n{tables.agreement_table(results)}\nagreement.json, agreement.png: {folder}")
