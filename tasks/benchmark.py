r"""Speed and memory of the recurrent layers against stock Keras and PyTorch.

    python -m tasks.benchmark
    python -m tasks.benchmark --layers=lstm --sizes=32x100x128x128 --nopadding --output=lstm.json
    python -m tasks.benchmark --device=gpu --at_most=170 --output=gpu.json
    python -m tasks.benchmark --device=gpu --at_most=55 --sizes=64x200x256x256 --output=gpu.json

Every comparison runs its contestants in turn, over and over, and takes medians, so that whatever
else the machine does hits all alike; the first call of a turn, which finds cold caches and sleeping
threads, does not count. Stock Keras is the faster of XLA on and off; on a GPU its LSTM and its
GRU(reset_after=True) use cuDNN, and XLA not. PyTorch comes behind the others, where it is
importable, but for a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tasks.experiments.speed_tables import DTYPES, PARTS, summary, tables
from tasks.framework.machine import machine
from zoo import files
from zoo.catalog import markdown
from zoo.configuration import Configuration, option, options
from zoo.quiet import import_tensorflow

# What needs TensorFlow is imported when it is needed: --help and --render need none.

LAYERS = ["rnn", "gru", "gru_after", "lstm"]
# What suits a device, where nothing else is asked for.
DEFAULTS: dict[str, dict] = {
    "cpu": {
        "layers": ("rnn", "gru", "lstm"),
        "sizes": ("32x50x64x64", "32x100x128x128", "64x200x256x256", "16x400x128x512"),
        "dtypes": ("float32",),
        "parts": tuple(PARTS),
        "seconds": 3.0,
    },
    "gpu": {
        "layers": ("lstm", "gru_after", "gru", "rnn"),
        "sizes": ("64x200x256x256", "32x100x128x128", "128x200x512x512", "32x50x64x64"),
        "dtypes": ("float32", "mixed_float16"),
        "parts": ("train", "forward"),
        "seconds": 0.2,
    },
}


@dataclasses.dataclass(frozen=True)
class Asked(Configuration):
    """What the benchmark is asked to measure; what is empty or None, `for_device` fills in."""

    device: str = option(
        "auto",
        "auto: a GPU where TensorFlow sees one; cpu; gpu: an error without one.",
        choices=("auto", "cpu", "gpu"),
    )
    layers: tuple[str, ...] = option(
        (), "Layers to measure: rnn, gru (the lecture's), gru_after (cuDNN's), lstm."
    )
    sizes: tuple[str, ...] = option((), "Sizes as BATCHxTIMExINPUTSxUNITS.")
    dtypes: tuple[str, ...] = option(
        (), "Precisions: float32, float64, mixed_float16, mixed_bfloat16."
    )
    padding: bool = option(True, "Measure batches with right padding too.")
    seconds: float | None = option(
        None, "Seconds of measuring for each contestant; 3, and 0.2 on a GPU.", at_least=0
    )
    at_most: float | None = option(
        None, "No row of figures begins after so many seconds.", at_least=0
    )
    output: str = option(
        "benchmark.json", "File for all figures, JSON; their tables go beside it, Markdown."
    )
    parts: tuple[str, ...] = option(
        (),
        "What to measure: train (forward and all gradients), forward, served (1 to 64 rows in a "
        "graph without XLA, on the clock and in processor time), length (2,000 steps against "
        "1,000), memory (peak of a training step).",
    )
    render: str | None = option(
        None, "Only write the tables of --output again, and their summary into this file."
    )
    memory_of: str | None = option(
        None, "Only print the peak memory of one contestant: LAYER,SIZE,CONTESTANT."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, accepted in (("layers", LAYERS), ("parts", PARTS), ("dtypes", DTYPES)):
            if not {*getattr(self, name)} <= {*accepted}:
                raise ValueError(
                    f"{name}: expected some of {','.join(accepted)}. Received: "
                    f"{','.join(getattr(self, name))}"
                )
        for size in self.sizes:
            parse_size(size)

    def for_device(self, device: str) -> Asked:
        """The same for `"cpu"` or `"gpu"`, and nothing left open."""
        missing = {n: v for n, v in DEFAULTS[device].items() if getattr(self, n) in ((), None)}
        return dataclasses.replace(self, device=device, **missing)


def parse_size(text: str) -> tuple[int, int, int, int]:
    """Batch, steps, inputs and units of a size such as `32x100x128x128`."""
    try:
        batch, steps, inputs, units = (int(part) for part in text.split("x"))
        if min(batch, steps, inputs, units) < 1:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"sizes: expected BATCHxTIMExINPUTSxUNITS, such as 32x100x128x128. Received: {text!r}"
        ) from None
    return batch, steps, inputs, units


def save(results: dict, output: str) -> None:
    """Writes --output and, beside it, its tables."""
    files.write_json(output, results)
    files.write_text(tables_file(output), tables(results))


def tables_file(output: str) -> str:
    """The file beside --output that gets the tables."""
    return os.path.splitext(output)[0] + ".md"


def parse(arguments: Sequence[str] | None) -> Asked:
    """What a command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds: dict[type, Callable[[str], Any]] = {tuple: lambda text: tuple(text.split(","))}
    for name, (field, said) in options(Asked).items():
        if field.default is True:
            parser.add_argument(f"--no{name}", dest=name, action="store_false", help=said.help)
        else:
            number = "float" in str(field.type)
            kind = float if number else kinds.get(type(field.default), str)
            parser.add_argument(f"--{name}", type=kind, default=field.default, help=said.help)
    try:
        return Asked(**vars(parser.parse_args(arguments)))
    except ValueError as error:
        parser.error(f"--{error}")


def choose_device(device: str) -> str:
    """`"cpu"` or `"gpu"`, and TensorFlow computes there.

    Raises:
        SystemExit: a GPU is asked for, and TensorFlow sees none.
    """
    import tensorflow as tf

    from tasks.experiments.layer_speed import on_gpu

    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif device == "gpu" and not on_gpu():
        raise SystemExit(
            "--device=gpu: expected a GPU that TensorFlow sees. It sees none: install "
            "tensorflow[and-cuda] and NVIDIA's driver, or use --device=cpu."
        )
    return "gpu" if on_gpu() else "cpu"


def measure(asked: Asked, seconds: float, peak: float) -> Iterator[dict]:
    """The rows of figures that are asked for; `peak` is that of the machine, GFLOP/s."""
    from tasks.experiments import layer_speed

    sizes = [parse_size(size) for size in asked.sizes]
    paddings = (False, True) if asked.padding else (False,)
    for part in ("train", "forward"):
        if part in asked.parts:
            yield from layer_speed.measure_speed(
                part, sizes, asked.layers, asked.dtypes, paddings, seconds, peak
            )
    if "served" in asked.parts:
        yield from layer_speed.measure_served(asked.layers, paddings, seconds)
    if "length" in asked.parts:
        yield from layer_speed.measure_length(asked.layers, seconds)
    if "memory" in asked.parts:
        command = [sys.executable, "-m", "tasks.benchmark", f"--device={asked.device}"]
        yield from layer_speed.measure_memory(asked.layers, sizes, [*command, "--memory_of="])


def render(output: str, into: str) -> None:
    """Writes the tables of --output again, and their summary into a file."""
    with open(output) as file:
        results = json.load(file)
    save(results, output)
    block = "benchmark_gpu" if results.get("device") == "gpu" else "benchmark"
    single = [row for row in results["rows"] if "dtype" not in row]
    markdown.replace_in_file(into, block, summary({**results, "rows": single}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the flags say, and writes it as it comes."""
    asked = parse(arguments)
    if asked.render:
        render(asked.output, asked.render)
        return 0
    import_tensorflow()
    from tasks.experiments.layer_speed import matmul_peak, print_memory_of

    device = choose_device(asked.device)
    if asked.memory_of:
        kind, size, name = asked.memory_of.split(",")
        print_memory_of(kind, parse_size(size), name)
        return 0
    asked = asked.for_device(device)
    seconds = asked.seconds or 0.0
    end = time.monotonic() + (math.inf if asked.at_most is None else asked.at_most)
    rows: list[dict] = []
    peak = matmul_peak(seconds)
    results = {
        "device": device,
        "command": shlex.join(["python", "-m", "tasks.benchmark", *(arguments or sys.argv[1:])]),
        "machine": machine(),
        "matmul_peak_gflops": peak,
        "rows": rows,
    }
    for row in measure(asked, seconds, peak):
        rows.append(row)
        save(results, asked.output)
        shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}
        print(f"[{len(rows)}]", *(f"{k}={v}" for k, v in shown.items()), flush=True)
        if time.monotonic() > end:
            print(f"--at_most={asked.at_most:g} seconds are over: the other rows are left out.")
            break
    print()
    print(tables(results))
    print(summary(results))
    print(f"All figures: {asked.output}, {tables_file(asked.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
