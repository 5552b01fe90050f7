r"""Speed and memory of the recurrent layers against stock Keras and PyTorch.

    python -m tasks.benchmark
    python -m tasks.benchmark --layers=lstm --sizes=32x100x128x128 --nopadding --output=lstm.json
    python -m tasks.benchmark --device=gpu --at_most=170 --output=gpu.json
    python -m tasks.benchmark --device=gpu --at_most=55 --sizes=64x200x256x256 --output=gpu.json

Every comparison runs its contestants in turn, over and over, and takes medians, so that whatever
else the machine does hits all alike; the first call of a turn, which finds cold caches and sleeping
threads, does not count. Stock Keras is the faster of XLA on and off; on a GPU its LSTM and its
GRU(reset_after=True) use cuDNN, and XLA not. PyTorch takes part where it is importable, but for a
GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import gc
import itertools
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.framework.machine import machine
from zoo import files
from zoo.catalog import markdown
from zoo.configuration import Configuration, option, options
from zoo.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

LAYERS = ["rnn", "gru", "gru_after", "lstm"]
# What is measured, and in what it is shown.
PARTS = {
    "train": ("training step: forward pass and all gradients", "ms"),
    "forward": ("forward pass", "ms"),
    "latency": ("one sequence, graph without XLA", "ms"),
    "length": ("training step of 1,000 and 2,000 steps", "ms"),
    "memory": ("peak memory of training steps", "MiB"),
}


DTYPES = ["float32", "float64", "mixed_float16", "mixed_bfloat16"]
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
    padding: bool = option(True, "Measure batches with right padding too; --nopadding: not.")
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
        "What to measure: train (forward and all gradients), forward, latency (one sequence of 100 "
        "steps, 128 units, in a graph without XLA), length (2,000 steps against 1,000), memory "
        "(peak of a training step).",
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


_CALLS_PER_TURN = 3
# PyTorch's threads go on spinning after a call, and would take a core from whoever comes next.
_TORCH_REST = 0.1

COLUMNS_PER_UNIT = {"rnn": 1, "gru": 3, "gru_after": 3, "lstm": 4}
# Those for which stock Keras has cuDNN on a GPU, where XLA has no place.
STOCK_CUDNN = ("gru_after", "lstm")
Contestant = Callable[[], object]


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


# --- Contestants ---------------------------------------------------------------------------------


def make_layer(kind: str, units: int, ours: bool, dtype: str = "float32") -> keras.layers.Layer:
    """A layer of ours, or the one of stock Keras, that returns sequences."""
    import keras

    import layers

    made: dict[str, Callable[..., keras.layers.Layer]] = {
        "rnn": layers.RNN,
        "gru": layers.GRU,
        "gru_after": functools.partial(layers.GRU, reset_gate="after"),
        "lstm": layers.LSTM,
    }
    if not ours:
        made = {
            "rnn": keras.layers.SimpleRNN,
            "gru": functools.partial(keras.layers.GRU, reset_after=False),
            "gru_after": keras.layers.GRU,
            "lstm": keras.layers.LSTM,
        }
    return made[kind](units, return_sequences=True, dtype=dtype)


def tensorflow_contestant(
    kind: str,
    size: tuple,
    part: str,
    ours: bool,
    jit: bool,
    padded: bool,
    dtype: str = "float32",
) -> Contestant:
    """One call: a training step's forward pass and gradients, or a forward pass."""
    import numpy as np
    import tensorflow as tf

    from layers.engine import function_here

    batch, steps, inputs, units = size
    layer = make_layer(kind, units, ours, dtype)
    x = np.random.default_rng(0).normal(size=(batch, steps, inputs))
    x = tf.constant(x, layer.compute_dtype)
    mask = tf.sequence_mask(lengths(batch, steps), steps) if padded else None
    layer.build(x.shape)
    variables = [variable.value for variable in layer.trainable_variables]

    @tf.function(jit_compile=jit, autograph=False)
    def train(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=mask, training=True)
            loss = tf.reduce_sum(y * y)
        return tape.gradient(loss, [x, *variables])

    def forward(x: tf.Tensor) -> list[tf.Tensor]:
        return [layer(x, mask=mask)]

    if jit:
        forward = tf.function(forward, jit_compile=True, autograph=False)
    else:  # as `predict` runs it
        forward = function_here(forward)
    function = {"train": train, "forward": forward}[part]
    if not on_gpu():
        return lambda: function(x)[0].numpy()

    def run() -> None:
        function(x)
        tf.test.experimental.sync_devices()  # without the way of the numbers to the processor

    return run


def torch_contestant(kind: str, size: tuple, part: str, padded: bool) -> Contestant:
    """What `tensorflow_contestant` does, by PyTorch."""
    import torch

    batch, steps, inputs, units = size
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}.get(kind, torch.nn.GRU)
    net = module(inputs, units, batch_first=True)
    x = torch.randn(batch, steps, inputs, requires_grad=part == "train")

    def run() -> torch.Tensor:
        if not padded:
            return net(x)[0]
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths(batch, steps)), batch_first=True, enforce_sorted=False
        )
        return torch.nn.utils.rnn.pad_packed_sequence(net(packed)[0], batch_first=True)[0]

    def train() -> None:
        net.zero_grad()
        x.grad = None
        y = run()
        (y * y).sum().backward()

    def forward() -> None:
        with torch.no_grad():
            run()

    return {"train": train, "forward": forward}[part]


def lengths(batch: int, steps: int) -> list[int]:
    """From half to all of the steps, evenly."""
    return [steps - (steps // 2) * row // max(1, batch - 1) for row in range(batch)]


def contestants(
    kind: str, size: tuple, part: str, padded: bool, dtype: str
) -> dict[str, Contestant]:
    """All that take part, by name."""
    field = {
        "ours": tensorflow_contestant(kind, size, part, True, False, padded, dtype),
        "keras": tensorflow_contestant(kind, size, part, False, False, padded, dtype),
    }
    if not (on_gpu() and kind in STOCK_CUDNN):
        field["keras_xla"] = tensorflow_contestant(kind, size, part, False, True, padded, dtype)
    if has_torch() and dtype == "float32":
        field["torch"] = torch_contestant(kind, size, part, padded)
    return field


def on_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    from layers.engine.compiling import has_gpu

    return has_gpu()


def has_torch() -> bool:
    """Whether PyTorch takes part: it can be imported, and the others have no GPU."""
    if on_gpu():
        return False
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401 - only whether it is there

        return True
    return False


# --- Measuring -----------------------------------------------------------------------------------


def medians(field: dict[str, Contestant], seconds: float) -> dict[str, float]:
    """Milliseconds of one call, median, the contestants taking turns."""
    for run in field.values():
        run()
        run()
    times: dict[str, list[float]] = {name: [] for name in field}
    gc.collect()
    end = time.perf_counter() + seconds * len(field)
    while time.perf_counter() < end or len(times["ours"]) < 6:
        for name, run in field.items():
            run()
            for _ in range(_CALLS_PER_TURN):
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
            if name == "torch":
                time.sleep(_TORCH_REST)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def matmul_peak(seconds: float) -> float:
    """GFLOP/s of a large product of single-precision matrices."""
    import tensorflow as tf

    n = 16384 if on_gpu() else 2048
    a, b = tf.random.normal([n, n]), tf.random.normal([n, n])
    product = tf.function(lambda: a @ b)
    return 2 * n**3 / medians({"ours": lambda: product()[0, 0].numpy()}, seconds)["ours"] / 1e6


def ratios(row: dict) -> dict:
    """Adds how many times as fast as the others the layer is."""
    row["keras_best_ms"] = min(row[name] for name in ("keras", "keras_xla") if name in row)
    row["times_keras"] = row["keras_best_ms"] / row["ours"]
    if "torch" in row:
        row["times_torch"] = row["torch"] / row["ours"]
    return row


def measure_speed(asked: Asked, peak: float) -> Iterator[dict]:
    """Training steps and forward passes, in all sizes; `peak` is that of the machine, GFLOP/s."""
    paddings = (False, True) if asked.padding else (False,)
    parts = [part for part in ("train", "forward") if part in asked.parts]
    rows = itertools.product(asked.dtypes, parts, paddings, asked.sizes, asked.layers)
    for dtype, part, padded, size, kind in rows:
        batch, steps, inputs, units = parse_size(size)
        field = contestants(kind, (batch, steps, inputs, units), part, padded, dtype)
        row = ratios(medians(field, asked.seconds or 0.0))
        products = 2 * batch * steps * (inputs + units) * COLUMNS_PER_UNIT[kind] * units
        work = products * (3 if part == "train" else 1)
        if dtype == "float32":
            row["share_of_peak"] = work / row["ours"] / 1e6 / peak
        measured = {"part": part, "layer": kind, "size": size, "padded": padded}
        yield {**measured, **({} if dtype == "float32" else {"dtype": dtype}), **row}


def measure_latency(asked: Asked) -> Iterator[dict]:
    """One sequence through a graph as it is exported: unknown batch and time, no XLA."""
    import tensorflow as tf

    x = tf.random.normal([1, 100, 128])
    signature = [tf.TensorSpec([None, None, 128])]
    for kind in asked.layers:
        field: dict[str, Contestant] = {}
        for name, ours in (("ours", True), ("keras", False)):
            layer = make_layer(kind, 128, ours)
            layer.build((None, None, 128))
            function = tf.function(layer, input_signature=signature, autograph=False)
            field[name] = functools.partial(_numbers, function, x)
        if has_torch():
            field["torch"] = torch_contestant(kind, (1, 100, 128, 128), "forward", False)
        row = ratios(medians(field, asked.seconds or 0.0))
        yield {"part": "latency", "layer": kind, "size": "1x100x128x128", "padded": False, **row}


def _numbers(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> object:
    return function(x).numpy()


def measure_length(asked: Asked) -> Iterator[dict]:
    """Training steps over 2,000 steps against 1,000."""
    for kind in asked.layers:
        field = {
            name: tensorflow_contestant(kind, (8, steps, 64, 64), "train", True, False, False)
            for name, steps in (("ours", 1000), ("2000", 2000))
        }
        row = medians(field, asked.seconds or 0.0)
        row = {"ours": row["ours"], "twice_ms": row["2000"], "growth": row["2000"] / row["ours"]}
        yield {"part": "length", "layer": kind, "size": "8x1000x64x64", "padded": False, **row}


def measure_memory(asked: Asked) -> Iterator[dict]:
    """Growth of a process up to its peak in training steps, each in a new process (Linux)."""
    for size, kind in itertools.product(asked.sizes, asked.layers):
        row = {}
        for name in ("ours", "keras", "keras_xla"):
            command = [sys.executable, "-m", "tasks.benchmark", f"--memory_of={kind},{size},{name}"]
            command += [f"--device={asked.device}"]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            row[name] = float(run.stdout.split()[-1])
        row["share_of_keras"] = row["ours"] / max(1e-3, min(row["keras"], row["keras_xla"]))
        yield {"part": "memory", "layer": kind, "size": size, "padded": False, **row}


def print_memory_of(contestant: str) -> None:
    """Prints how many MiB training steps of `LAYER,SIZE,CONTESTANT` take."""
    kind, size, name = contestant.split(",")
    options = (name == "ours", name == "keras_xla", False)
    # TensorFlow and its compiler take memory of their own, once: a small run has them loaded.
    tensorflow_contestant(kind, (32, 2, 64, 64), "train", *options)()
    run = tensorflow_contestant(kind, parse_size(size), "train", *options)
    before = process_memory("VmRSS")
    for _ in range(3):
        run()
    print(process_memory("VmHWM") - before)


def process_memory(field: str) -> float:
    """Memory of this process in MiB: VmRSS, what it holds, or VmHWM, its peak (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) / 1024


# --- Showing -------------------------------------------------------------------------------------


def geometric_mean(values: list[float]) -> float:
    """Of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def measured_on(results: dict) -> str:
    """The machine, in a sentence."""
    found = results["machine"]
    device = f"{found['processor']}, {found['cores']} cores"
    if results.get("device") == "gpu":
        device = found["gpus"][0]
    return f"{device}; matrix products peak at {results['matmul_peak_gflops']:.0f} GFLOP/s."


def shown_part(part: str, padded: bool, dtype: str) -> str:
    """What was measured, as tables name it."""
    return (
        PARTS[part][0]
        + (", with right padding" if padded else "")
        + (f", {dtype}" if dtype != "float32" else "")
    )


def summary(results: dict) -> str:
    """How many times as fast as others: geometric means over the sizes, and the least."""

    def times(rows: list[dict], name: str) -> str:
        values = [row[name] for row in rows if name in row]
        if len(values) < 2:
            return f"{values[0]:.2f}" if values else "–"
        return f"{geometric_mean(values):.2f} (least {min(values):.2f})"

    measured: dict[tuple[str, str], list[dict]] = {}
    for row in results["rows"]:
        if "times_keras" in row:
            what = shown_part(row["part"], row["padded"], row.get("dtype", "float32"))
            measured.setdefault((what, row["layer"]), []).append(row)
    others = {"times_keras": "times Keras' better", "times_torch": "times PyTorch"}
    others = {k: v for k, v in others.items() if any(k in row for row in results["rows"])}
    table = markdown.table(
        ["", "layer", *others.values()],
        [
            [what, layer, *(times(rows, name) for name in others)]
            for (what, layer), rows in measured.items()
        ],
    )
    return f"{table}\n{measured_on(results)}\n"


def tables(results: dict) -> str:
    """All figures as a file of Markdown."""
    lines = ["# Speed of the layers", "", f"`{results['command']}` on {measured_on(results)}"]
    columns = {
        "ours": "ours",
        "keras": "Keras",
        "keras_xla": "Keras, XLA",
        "torch": "PyTorch",
        "times_keras": "times Keras' better",
        "times_torch": "times PyTorch",
        "share_of_peak": "share of peak",
        "twice_ms": "2,000 steps",
        "growth": "growth",
        "share_of_keras": "share of Keras' better",
    }
    for dtype, part, padded in itertools.product(DTYPES, PARTS, (False, True)):
        wanted = (part, padded, dtype)
        rows = [
            row
            for row in results["rows"]
            if (row["part"], row["padded"], row.get("dtype", "float32")) == wanted
        ]
        if not rows:
            continue
        shown = [name for name in columns if any(name in row for row in rows)]
        lines += ["", f"**{shown_part(part, padded, dtype)}, {PARTS[part][1]}**", ""]
        lines += [
            "| layer | batch × time × inputs × units | "
            + " | ".join(columns[name] for name in shown)
            + " |",
            "|---|---|" + "---|" * len(shown),
        ]
        for row in rows:
            figures = (
                "–"
                if name not in row
                else f"{row[name]:.0%}"
                if name.startswith("share_of_peak")
                else f"{row[name]:.3g}"
                for name in shown
            )
            size = row["size"].replace("x", " × ")
            lines.append(f"| {row['layer']} | {size} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


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

    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif device == "gpu" and not on_gpu():
        raise SystemExit(
            "--device=gpu: expected a GPU that TensorFlow sees. It sees none: install "
            "tensorflow[and-cuda] and NVIDIA's driver, or use --device=cpu."
        )
    return "gpu" if on_gpu() else "cpu"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the flags say, and writes it as it comes."""
    asked = parse(arguments)
    if not asked.render:
        import_tensorflow()
    if asked.memory_of:
        choose_device(asked.device)
        print_memory_of(asked.memory_of)
        return 0
    if asked.render:
        with open(asked.output) as file:
            results = json.load(file)
        save(results, asked.output)
        block = "benchmark_gpu" if results.get("device") == "gpu" else "benchmark"
        single = [row for row in results["rows"] if "dtype" not in row]
        markdown.replace_in_file(asked.render, block, summary({**results, "rows": single}))
        return 0
    asked = asked.for_device(choose_device(asked.device))
    end = time.monotonic() + (math.inf if asked.at_most is None else asked.at_most)
    results = {
        "device": asked.device,
        "command": shlex.join(["python", "-m", "tasks.benchmark", *(arguments or sys.argv[1:])]),
        "machine": machine(),
        "matmul_peak_gflops": matmul_peak(asked.seconds or 0.0),
        "rows": [],
    }
    measures = [measure_speed(asked, results["matmul_peak_gflops"])]
    measures += [
        measure(asked)
        for part, measure in (
            ("latency", measure_latency),
            ("length", measure_length),
            ("memory", measure_memory),
        )
        if part in asked.parts
    ]
    for row in itertools.chain(*measures):
        results["rows"].append(row)
        save(results, asked.output)
        shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}
        print(f"[{len(results['rows'])}]", *(f"{k}={v}" for k, v in shown.items()), flush=True)
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
