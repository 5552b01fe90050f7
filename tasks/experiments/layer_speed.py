"""Speed and memory of the layers beside stock Keras and PyTorch, who take turns."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import itertools
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.engine import function_here
from layers.engine.compiling import has_gpu

_CALLS_PER_TURN = 3

COLUMNS_PER_UNIT = {"rnn": 1, "gru": 3, "gru_after": 3, "lstm": 4}
# Those for which stock Keras has cuDNN on a GPU, where XLA has no place.
STOCK_CUDNN = ("gru_after", "lstm")
Contestant = Callable[[], object]
# Batch, steps, inputs and units.
Size = tuple[int, int, int, int]


# Rows, and steps, inputs and units, of what is served.
_SERVED_ROWS = (1, 8, 32, 64)
_SERVED_SIZE = (100, 128, 128)


# --- Contestants ---------------------------------------------------------------------------------


def make_layer(
    kind: str, units: int, ours: bool, dtype: str = "float32", both: bool = False
) -> keras.layers.Layer:
    """A layer of ours, or the one of stock Keras, that returns sequences; of `both` directions."""
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
    layer = made[kind](units, return_sequences=True, dtype=dtype)
    return keras.layers.Bidirectional(layer, dtype=dtype) if both else layer


def tensorflow_contestant(
    kind: str,
    size: Size,
    part: str,
    ours: bool,
    jit: bool,
    padded: bool,
    dtype: str = "float32",
) -> Contestant:
    """One call: a training step's forward pass and gradients, or a forward pass."""
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


def served_contestant(kind: str, size: Size, ours: bool, padded: bool, both: bool) -> Contestant:
    """A forward pass in a graph as it is exported: rows and steps unknown, no XLA."""
    batch, steps, inputs, units = size
    layer = make_layer(kind, units, ours, both=both)
    layer.build((None, None, inputs))
    signature = [tf.TensorSpec([None, None, inputs])]
    given = [tf.random.normal([batch, steps, inputs])]
    if padded:
        signature.append(tf.TensorSpec([None, None], tf.bool))
        given.append(tf.sequence_mask(lengths(batch, steps), steps))

    @tf.function(input_signature=signature, autograph=False)
    def serve(x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return layer(x, mask=mask, training=False)

    return lambda: serve(*given).numpy()


def torch_contestant(
    kind: str, size: Size, part: str, padded: bool, both: bool = False
) -> Contestant:
    """What `tensorflow_contestant` does, by PyTorch."""
    import torch

    batch, steps, inputs, units = size
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}.get(kind, torch.nn.GRU)
    net = module(inputs, units, batch_first=True, bidirectional=both)
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
    kind: str, size: Size, part: str, padded: bool, dtype: str
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


@dataclasses.dataclass(frozen=True)
class Times:
    """Milliseconds of one call, medians: on the clock, and of all cores together."""

    wall: float
    cpu: float


def medians(field: dict[str, Contestant], seconds: float) -> dict[str, float]:
    """Milliseconds of one call, median, the contestants taking turns."""
    return {name: times.wall for name, times in timed(field, seconds).items()}


def timed(field: dict[str, Contestant], seconds: float) -> dict[str, Times]:
    """How long one call takes, the contestants taking turns.

    PyTorch comes behind the others: its threads go on spinning after a call, and would take a core
    from whoever is next.
    """
    alone = [{name: field[name]} for name in ("torch",) if name in field]
    return {
        name: times
        for turns in ({n: run for n, run in field.items() if n != "torch"}, *alone)
        for name, times in _in_turn(turns, seconds).items()
    }


def _in_turn(field: dict[str, Contestant], seconds: float) -> dict[str, Times]:
    for run in field.values():
        run()
        run()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in field}
    gc.collect()
    end = time.perf_counter() + seconds * len(field)
    while time.perf_counter() < end or any(len(values) < 6 for values in taken.values()):
        for name, run in field.items():
            run()
            for _ in range(_CALLS_PER_TURN):
                start, before = time.perf_counter(), time.process_time()
                run()
                took = time.perf_counter() - start, time.process_time() - before
                taken[name].append(took)
    return {
        name: Times(*(1000 * statistics.median(kind) for kind in zip(*values, strict=True)))
        for name, values in taken.items()
    }


def matmul_peak(seconds: float) -> float:
    """GFLOP/s of a large product of single-precision matrices."""
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


def measure_speed(
    part: str,
    sizes: Sequence[Size],
    kinds: Sequence[str],
    dtypes: Sequence[str],
    paddings: Sequence[bool],
    seconds: float,
    peak: float,
) -> Iterator[dict]:
    """Training steps or forward passes; `peak` is that of the machine, GFLOP/s."""
    for dtype, padded, size, kind in itertools.product(dtypes, paddings, sizes, kinds):
        batch, steps, inputs, units = size
        field = contestants(kind, size, part, padded, dtype)
        row = ratios(medians(field, seconds))
        products = 2 * batch * steps * (inputs + units) * COLUMNS_PER_UNIT[kind] * units
        work = products * (3 if part == "train" else 1)
        if dtype == "float32":
            row["share_of_peak"] = work / row["ours"] / 1e6 / peak
        measured = {"part": part, "layer": kind, "size": shown(size), "padded": padded}
        yield {**measured, **({} if dtype == "float32" else {"dtype": dtype}), **row}


def measure_served(
    kinds: Sequence[str], paddings: Sequence[bool], seconds: float
) -> Iterator[dict]:
    """Forward passes of graphs as they are exported, in one direction and in two."""
    for padded, both, kind, batch in itertools.product(
        paddings, (False, True), kinds, _SERVED_ROWS
    ):
        size = (batch, *_SERVED_SIZE)
        field = {
            name: served_contestant(kind, size, name == "ours", padded, both)
            for name in ("ours", "keras")
        }
        if has_torch():
            field["torch"] = torch_contestant(kind, size, "forward", padded, both)
        times = timed(field, seconds)
        row = ratios({name: one.wall for name, one in times.items()})
        row["times_keras_cpu"] = times["keras"].cpu / times["ours"].cpu
        name = f"{kind}, both directions" if both else kind
        yield {"part": "served", "layer": name, "size": shown(size), "padded": padded, **row}


def measure_length(kinds: Sequence[str], seconds: float) -> Iterator[dict]:
    """Training steps over 2,000 steps against 1,000."""
    for kind in kinds:
        field = {
            name: tensorflow_contestant(kind, (8, steps, 64, 64), "train", True, False, False)
            for name, steps in (("ours", 1000), ("2000", 2000))
        }
        row = medians(field, seconds)
        row = {"ours": row["ours"], "twice_ms": row["2000"], "growth": row["2000"] / row["ours"]}
        yield {"part": "length", "layer": kind, "size": "8x1000x64x64", "padded": False, **row}


def measure_memory(
    kinds: Sequence[str], sizes: Sequence[Size], command: Sequence[str]
) -> Iterator[dict]:
    """Growth of a process up to its peak in training steps, each in a new process (Linux).

    Args:
        kinds, sizes: of the layers.
        command: that prints the memory of what its last argument is to name.
    """
    for size, kind in itertools.product(sizes, kinds):
        row = {}
        for name in ("ours", "keras", "keras_xla"):
            what = f"{command[-1]}{kind},{shown(size)},{name}"
            run = subprocess.run([*command[:-1], what], capture_output=True, text=True, check=True)
            row[name] = float(run.stdout.split()[-1])
        row["share_of_keras"] = row["ours"] / max(1e-3, min(row["keras"], row["keras_xla"]))
        yield {"part": "memory", "layer": kind, "size": shown(size), "padded": False, **row}


def print_memory_of(kind: str, size: Size, name: str) -> None:
    """Prints how many MiB training steps of a contestant take."""
    options = (name == "ours", name == "keras_xla", False)
    # TensorFlow and its compiler take memory of their own, once: a small run has them loaded.
    tensorflow_contestant(kind, (32, 2, 64, 64), "train", *options)()
    run = tensorflow_contestant(kind, size, "train", *options)
    before = process_memory("VmRSS")
    for _ in range(3):
        run()
    print(process_memory("VmHWM") - before)


def shown(size: Size) -> str:
    """A size as it is written."""
    return "x".join(map(str, size))


def process_memory(field: str) -> float:
    """Memory of this process in MiB: VmRSS, what it holds, or VmHWM, its peak (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) / 1024
