r"""Gradients through time: where they vanish, where they explode, which words they come from.

python -m tasks.gradients                                       # flow, radius and exploding
python -m tasks.gradients --quick                               # the same, hardly trained
python -m tasks.gradients --mode=exploding --clip_norm=0.5
python -m tasks.gradients --mode=words --model=lm_demo --text="The cats, which ate, were full."
python -m tasks.gradients --mode=words --model_dir=runs/mine --text="He said, Teddy bears."
python -m tasks.gradients --mode=words --cell=rnn               # a fresh cell

flow        ‖∂L<T>/∂a<t>‖ by the distance T - t, of every cell, fresh and trained
radius      the same of a fresh RNN, over the spectral radius of W_aa
exploding   a training run with and without clipping
words       which words move what a model says of each word: terminal, PNG, HTML

Each writes a figure, and beside it its numbers as JSON.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from tasks.framework.experiment import Experiment
from zoo.configuration import Configuration, option
from zoo.configuration.models import CELLS

# What needs TensorFlow is imported when it is needed: --help needs none.

_TEXT = "The cats, which already ate the fish near the old barns, were full."


@dataclasses.dataclass(frozen=True)
class GradientsConfig(Configuration):
    """What the program is asked for.

    Attributes:
        command: the whole command, for records.
        given: names of the flags that were said.
    """

    mode: str = option(
        "all",
        "What to show; all: flow, radius and exploding.",
        choices=("all", "flow", "radius", "exploding", "words"),
    )
    units: int = option(64, "Of each network that is made here.", at_least=1)
    steps: int = option(1000, "The longest distance T - t.", at_least=2, at_most=100_000)
    clip_norm: float = option(
        1.0, "With --mode=exploding: gradients are clipped to this global norm.", at_least=1e-6
    )
    quick: bool = option(False, "Train a little only: to see that all runs.")
    seed: int = option(0, "Of weights and sequences.", at_least=0, at_most=2**30)
    seeds: int = option(3, "With --mode=flow: so many, from --seed up.", at_least=1, at_most=100)
    model: str | None = option(
        None, "With --mode=words: a name of the zoo, or the folder of a SavedModel."
    )
    model_dir: str | None = option(None, "With --mode=words: the folder of a training run.")
    cell: str = option(
        "lstm",
        "With --mode=words, and neither --model nor --model_dir: a fresh language model of this "
        "cell.",
        choices=[cell for cell in CELLS if cell != "none"],
    )
    text: tuple[str, ...] = option(
        (), "With --mode=words: a text; may be repeated. Default: a sentence of the lecture's kind."
    )
    output_dir: str | None = option(None, "Where figures and numbers go. Default: temporary.")
    command: str = ""
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("model", "model_dir", "cell", "text"):
            if name in self.given and self.mode != "words":
                raise ValueError(f"{name}: goes with --mode=words. Received: --mode={self.mode}")
        if "clip_norm" in self.given and self.mode not in ("all", "exploding"):
            raise ValueError(f"clip_norm: goes with --mode=exploding. Received: --mode={self.mode}")
        others = [name for name in ("model", "model_dir", "cell") if name in self.given]
        if len(others) > 1:
            raise ValueError(
                f"{others[0]}: expected one of --model, --model_dir and --cell. Received: "
                f"{' and '.join(f'--{name}' for name in others)}"
            )


Write = Callable[[str, dict[str, Any]], None]


def run(config: GradientsConfig) -> None:
    """Shows what is asked for, and writes figures and numbers.

    Raises:
        UserError: a folder, a model or a text is not as it must be.
    """
    from tasks.framework.machine import machine
    from tasks.framework.text_io import check_writable
    from zoo import files

    folder = config.output_dir or tempfile.mkdtemp(prefix="gradients-")
    check_writable(folder, "output_dir")
    if config.mode != "words":  # which may still refuse its model or text
        os.makedirs(folder, exist_ok=True)
    written = []

    def write(name: str, found: dict[str, Any]) -> None:
        found = {"command": config.command, **found, "machine": machine()}
        files.write_json(os.path.join(folder, f"{name}.json"), found)
        written.append(name)

    modes = {"flow": _flow, "radius": _radius, "exploding": _exploding, "words": _words}
    for mode, show in modes.items():
        if mode == config.mode or (config.mode == "all" and mode != "words"):
            show(config, folder, write)
    print(f"\n{', '.join(written)}, each as .png and .json: {folder}")


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def _flow(config: GradientsConfig, folder: str, write: Write) -> None:
    from tasks.experiments import gradient_figures, gradient_flow
    from tasks.framework import tables

    print("\nEvery cell, fresh and trained:", flush=True)
    updates = gradient_flow.QUICK_UPDATES if config.quick else gradient_flow.UPDATES
    seeds = range(config.seed, config.seed + (1 if config.quick else config.seeds))
    found = gradient_flow.by_cell(config.units, config.steps, seeds, updates, _say)
    gradient_figures.flow(found, os.path.join(folder, "gradient_flow.png"))
    write("gradient_flow", found)
    print(f"\n{tables.gradient_flow_table({'command': config.command, **found})}", end="")


def _radius(config: GradientsConfig, folder: str, write: Write) -> None:
    from tasks.experiments import gradient_figures, gradient_flow

    print("\nA fresh RNN, by the spectral radius of W_aa:", flush=True)
    found = gradient_flow.by_radius(config.units, config.steps, config.seed)
    gradient_figures.radius(found, os.path.join(folder, "gradient_radius.png"))
    write("gradient_radius", found)
    for radius, row in found["norms"].items():
        end = f"{row[-1]:.1e}" if row[-1] else "less than any number"
        _say(f"{radius}: {end} at a distance of {found['distances'][-1]:,}")


def _exploding(config: GradientsConfig, folder: str, write: Write) -> None:
    from tasks.experiments import exploding, gradient_figures
    from tasks.framework import tables

    print("\nTraining with and without clipping:", flush=True)
    updates = exploding.QUICK_UPDATES if config.quick else exploding.UPDATES
    runs = exploding.runs(config.units, config.clip_norm, config.seed, updates, _say)
    gradient_figures.clipping(runs, os.path.join(folder, "exploding.png"))
    write("exploding", {"units": config.units, "runs": runs})
    print(f"\n{tables.exploding_table({'command': config.command, 'runs': runs})}", end="")


def _words(config: GradientsConfig, folder: str, write: Write) -> None:
    from tasks.experiments import gradient_figures, influence_readers, influence_views
    from tasks.experiments.words import visible
    from zoo import files

    texts = config.text or (_TEXT,)
    if config.model or config.model_dir:
        flag = "model" if config.model else "model_dir"
        name = str(config.model or config.model_dir)
        read = influence_readers.reader_of(name, flag)
    else:
        name = f"fresh {config.cell}"
        read = influence_readers.fresh_reader(config.cell, config.units, config.seed, texts)
    found = [read(one) for one in texts]
    os.makedirs(folder, exist_ok=True)
    for number, one in enumerate(found, start=1):
        print(f"\n{influence_views.as_text(one)}", flush=True)
        path = os.path.join(folder, f"influences_{number}.png" if number > 1 else "influences.png")
        words = list(map(visible, one.words))
        gradient_figures.influences(words, influence_views.labels(one), one.shares(), path)
    page = os.path.join(folder, "influences.html")
    files.write_text(page, influence_views.as_html(found, f"What moves what is said: {name}"))
    shown = [
        {
            "words": one.words,
            "decided": one.decided,
            "decisions": one.decisions,
            "values": one.values.tolist(),
        }
        for one in found
    ]
    write("influences", {"model": name, "texts": shown})
    print(f"\nClick a word: {page}")


PROGRAM = Experiment("gradients", __doc__, GradientsConfig, run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
