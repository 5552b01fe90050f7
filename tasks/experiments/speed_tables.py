"""Tables of how fast the layers are."""

from __future__ import annotations

import itertools
import math

from zoo.catalog import markdown

# What is measured, and in what it is shown.
PARTS = {
    "train": ("training step: forward pass and all gradients", "ms"),
    "forward": ("forward pass", "ms"),
    "served": ("served, in a graph without XLA", "ms"),
    "length": ("training step of 1,000 and 2,000 steps", "ms"),
    "memory": ("peak memory of training steps", "MiB"),
}
DTYPES = ["float32", "float64", "mixed_float16", "mixed_bfloat16"]
_COLUMNS = {
    "ours": "ours",
    "keras": "Keras",
    "keras_xla": "Keras, XLA",
    "torch": "PyTorch",
    "times_keras": "times Keras' better",
    "times_keras_cpu": "the same, processor time",
    "times_torch": "times PyTorch",
    "share_of_peak": "share of peak",
    "twice_ms": "2,000 steps",
    "growth": "growth",
    "share_of_keras": "share of Keras' better",
}


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
    for dtype, part, padded in itertools.product(DTYPES, PARTS, (False, True)):
        wanted = (part, padded, dtype)
        rows = [
            row
            for row in results["rows"]
            if (row["part"], row["padded"], row.get("dtype", "float32")) == wanted
        ]
        if not rows:
            continue
        shown = [name for name in _COLUMNS if any(name in row for row in rows)]
        lines += ["", f"**{shown_part(part, padded, dtype)}, {PARTS[part][1]}**", ""]
        lines += [
            "| layer | batch × time × inputs × units | "
            + " | ".join(_COLUMNS[name] for name in shown)
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
