"""Measuring: what a model predicts for examples, beside what is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.framework.task import Task
from tasks.framework.text_io import PREDICT_BATCH, batched, with_progress
from zoo.predictor import Predictor


def predicted_answers(task: Task, model: Predictor, examples: list) -> list:
    """What a model predicts for examples, in batches of like lengths."""
    predicted: list[Any] = [None] * len(examples)
    order = sorted(range(len(examples)), key=lambda number: task.length(examples[number]))
    for numbers in with_progress(batched(order, PREDICT_BATCH), len):
        answers = task.predict_examples(model, [examples[number] for number in numbers])
        for number, answer in zip(numbers, answers, strict=True):
            predicted[number] = answer
    return predicted


def evaluate(task: Task, examples: list, predicted: list, split: str, folder: str | None) -> dict:
    """Metrics of predictions, shown under the name of the split, and drawn into a folder."""
    answers = task.answers(examples)
    metrics = task.metrics(answers, predicted)
    show_metrics(split, metrics)
    if folder:
        task.draw(answers, predicted, folder, split)
    return metrics


def figure(value: float, digits: int = 4) -> str:
    """A number for a terminal; one that is far too large, in powers of ten.

    Example:
        >>> figure(98.3327), figure(3.21e180)
        ('98.3327', '3.21e+180')
    """
    return f"{value:.{digits}f}" if abs(value) < 1e9 else f"{value:.{digits}g}"


def show_metrics(title: str, metrics: Mapping[str, Any]) -> None:
    """Prints figures, one a line; of nested ones, one line for each class."""
    print(f"\n{title}:")
    for name, value in metrics.items():
        if isinstance(value, dict):
            for key, row in value.items():
                print(f"  {key:12s}", ", ".join(f"{n} {v:.4g}" for n, v in row.items()))
        elif isinstance(value, float):
            print(f"  {name:32s} {figure(value)}")
