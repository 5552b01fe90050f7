"""`--mode=align`: where a translator looks when it writes."""

from __future__ import annotations

import os

from tasks.data.errors import UserError
from tasks.framework.configuration import TaskConfig
from tasks.framework.modes import needed_model
from tasks.framework.task import Task
from tasks.framework.text_io import check_output
from tasks.translation import figures
from tasks.translation.configuration import TranslationRun


def align_mode(task: Task, config: TaskConfig, run: TranslationRun) -> None:
    """Draws the weights of attention of a text and its translation, in the terminal and, with
    `--output_file`, as PNG."""
    path = run.output_file
    if path and not path.lower().endswith(".png"):
        raise UserError(f"--output_file: --mode=align writes .png. Received: {path!r}")
    if not run.text or len(run.translation) not in (0, len(run.text)):
        raise UserError(
            "--mode=align: expected one --text or more, and a --translation for each or none. "
            f"Received: {len(run.text)} and {len(run.translation)}"
        )
    check_output(path)
    model = needed_model(task, run)
    if "alignment" not in model.signatures:
        raise UserError(
            f"--mode=align: expected a model with attention. Received: {run.model!r}, with "
            f"{sorted(model.signatures)}"
        )
    for number, text in enumerate(run.text):
        if run.translation:
            question = {"text": [text], "translation": [run.translation[number]]}
            answer = model.ask("alignment_of", question)
        else:
            answer = model.ask("alignment", {"text": [text]})
        x, y = int(answer["source_lengths"][0]), int(answer["target_lengths"][0])
        source = answer["source_tokens"][0, :x].tolist()
        target = answer["target_tokens"][0, :y].tolist()
        weights = answer["weights"][0, :y, :x]
        if number:
            print()
        print(figures.alignment_as_text(source, target, weights), flush=True)
        if path:
            root, ending = os.path.splitext(path)
            one = path if len(run.text) == 1 else f"{root}_{number + 1}{ending}"
            figures.alignment(source, target, weights, one)
            print(f"\n{one}", flush=True)
