r"""Gates over words: what Γu, Γf and c do while a sentence is read.

python -m tasks.gates                                           # a GRU, and the lecture's cat
python -m tasks.gates --model=ner_demo --text="He said, Teddy bears are on sale."
python -m tasks.gates --model=lm_demo --unit=7
python -m tasks.gates --model_dir=runs/mine --text="The cats were full."
python -m tasks.gates --find                                    # which unit remembers the subject
python -m tasks.gates --find --text="The dogs that ate were late." --opens_at=dogs --until=were

Each gate and state of every layer and direction, by the lecture's names: as heat maps in PNG, and
as one HTML file in which a layer, a gate and a unit are chosen. With --find, the units that take in
one word and nothing more until another: whose Γu, or 1 − Γf, opens at it and then stays shut; and
how well c tells a singular subject from a plural one while the verb is awaited. Of two directions,
forward units of the first layer alone: the others have seen what is to come.

    score of a unit = mean over sentences of (Γ at the word − the highest Γ in between)

A gate is shown at the word that its step reads. The numbers of all figures are beside them, as
JSON.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tasks.framework.experiment import Experiment
from zoo.configuration import Configuration, option

if TYPE_CHECKING:
    from tasks.experiments.gate_readers import Gates
    from tasks.experiments.gate_units import Span, Unit
    from zoo.predictor import Predictor

# What needs TensorFlow is imported when it is needed: --help needs none.

_MODEL = "lm_demo_gru"
_CAT = (
    "The cat, which already ate the fish near the old barns, was full.",
    "The cats, which already ate the fish near the old barns, were full.",
)
# Units that --find shows.
_BEST = 5


@dataclasses.dataclass(frozen=True)
class GatesConfig(Configuration):
    """What the program is asked for.

    Attributes:
        command: the whole command, for records.
        given: names of the flags that were said.
    """

    model: str | None = option(
        None, f"A name of the zoo, or the folder of a SavedModel. Default: {_MODEL}."
    )
    model_dir: str | None = option(None, "The folder of a training run, in place of --model.")
    text: tuple[str, ...] = option(
        (), "A text; may be repeated. Default: the lecture's cat, and the cats."
    )
    unit: int | None = option(
        None, "The unit to show first. Default: the one whose c moves most.", at_least=0
    )
    find: bool = option(
        False, "Find units that open at a word and then stay shut: at subjects, until their verbs."
    )
    opens_at: str | None = option(None, "With --find and --text: where gates are to open.")
    until: str | None = option(None, "With --find and --text: until where they stay shut.")
    output_dir: str | None = option(None, "Where figures and numbers go. Default: temporary.")
    command: str = ""
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model and self.model_dir:
            raise ValueError("model: expected --model or --model_dir. Received: both")
        if self.find and self.unit is not None:
            raise ValueError("unit: expected none with --find, which finds it. Received: both")
        own = [name for name in ("text", "opens_at", "until") if getattr(self, name)]
        if self.find and 0 < len(own) < 3:
            raise ValueError(
                "find: expected --text, --opens_at and --until together, or none of them. "
                f"Received: {' and '.join(f'--{name}' for name in own)}"
            )
        if not self.find and own not in ([], ["text"]):
            raise ValueError(f"{own[-1]}: goes with --find. Received: no --find")


Write = Callable[[str, dict[str, Any]], None]


def run(config: GatesConfig) -> None:
    """Shows what is asked for, and writes figures and numbers.

    Raises:
        UserError: a folder, a model or a text is not as it must be.
    """
    from tasks.experiments.gate_readers import reader_of
    from tasks.framework.machine import machine
    from tasks.framework.text_io import check_writable
    from zoo import files

    folder = config.output_dir or tempfile.mkdtemp(prefix="gates-")
    check_writable(folder, "output_dir")
    flag = "model_dir" if config.model_dir else "model"
    name = config.model_dir or config.model or _MODEL
    model = reader_of(name, flag)
    os.makedirs(folder, exist_ok=True)

    def write(file: str, found: dict[str, Any]) -> None:
        said = {"command": config.command, "model": name, **found, "machine": machine()}
        files.write_json(os.path.join(folder, f"{file}.json"), said)

    (_find if config.find else _show)(config, model, name, folder, write)
    print(f"\nFigures as .png, their numbers as .json: {folder}")


def _show(config: GatesConfig, model: Predictor, name: str, folder: str, write: Write) -> None:
    """All gates over texts."""
    import numpy as np

    from tasks.data.errors import UserError
    from tasks.experiments import gate_figures, gate_views
    from tasks.experiments.gate_readers import gates_of
    from zoo import files

    found = gates_of(model, config.text or _CAT)
    place = next(iter(found[0].values))
    count = found[0].values[place]["c"].shape[1]
    unit = config.unit
    if unit is None:
        unit = int(np.ptp(found[0].values[place]["c"], axis=0).argmax())
    if unit >= count:
        raise UserError(f"--unit: expected 0 to {count - 1}, as {name} has. Received: {unit}")
    for number, one in enumerate(found, start=1):
        print(f"\n{gate_views.as_text(one, place, unit)}", flush=True)
        behind = f"_{number}" if number > 1 else ""
        for where, values in one.values.items():
            path = os.path.join(folder, f"gates_{where.replace('/', '_')}{behind}.png")
            gate_figures.heat_map(one.words, values, unit, f"{name}, {where}", path)
    page = os.path.join(folder, "gates.html")
    files.write_text(page, gate_views.as_html(found, f"Gates of {name}", place, unit))
    write("gates", {"texts": [_numbers(one) for one in found]})
    print(f"\nChoose a unit: {page}")


def _find(config: GatesConfig, model: Predictor, name: str, folder: str, write: Write) -> None:
    """Units that open at a word and stay shut, and how well the number is told."""
    from tasks.experiments import gate_figures, gate_units
    from tasks.experiments.gate_readers import gates_of
    from tasks.framework import tables

    if config.opens_at and config.until:
        texts = gates_of(model, config.text)
        spans = [gate_units.span_of(one, config.opens_at, config.until) for one in texts]
        units = gate_units.units(texts, spans)
        _draw(texts, spans, units, "gates_unit", folder, write)
        return
    texts = gates_of(model, _CAT)
    print("\nReading sentences up to their verbs ...", flush=True)
    asked = gate_units.awaited(model)
    units = gate_units.units(asked.found, asked.spans, asked.plural)
    spans = [gate_units.Span(1, 1) for _ in texts]
    _draw(texts, spans, units, "gates_cat", folder, write, len(asked.found))
    told = gate_units.told_by_distance(asked)
    gate_figures.told(told, os.path.join(folder, "gates_told.png"))
    found = {"told": {place: [row._asdict() for row in rows] for place, rows in told.items()}}
    write("gates_told", found)
    print(f"\n{tables.gates_told_table({'command': config.command, **found})}", end="")


def _draw(
    texts: Sequence[Gates],
    spans: Sequence[Span],
    units: Sequence[Unit],
    file: str,
    folder: str,
    write: Write,
    sentences: int | None = None,
) -> None:
    """The best unit as the slide draws it, and the best few as a table."""
    from tasks.experiments import gate_figures
    from tasks.framework import tables

    best = units[0]
    path = os.path.join(folder, f"{file}.png")
    opens = [span.opens for span in spans]
    gate_figures.slide(texts, best.place, best.gate, best.unit, opens, path)
    found = {
        "sentences": len(texts) if sentences is None else sentences,
        "units": [{**dataclasses.asdict(unit), "score": unit.score} for unit in units[:_BEST]],
        "texts": [_numbers(one, best.place, best.unit) for one in texts],
    }
    write(file, found)
    print(f"\n{tables.gate_units_table(found)}", end="")


def _numbers(one: Gates, place: str | None = None, unit: int | None = None) -> dict[str, Any]:
    """Words and gates of a text: of all units `[words, units]`, or of one, `[words]`."""
    places = one.values if place is None else {place: one.values[place]}
    every = slice(None) if unit is None else unit
    return {
        "words": one.words,
        "gates": {
            where: {
                name: values[:, every].astype(float).round(4).tolist()
                for name, values in each.items()
            }
            for where, each in places.items()
        },
    }


PROGRAM = Experiment("gates", __doc__, GatesConfig, run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
