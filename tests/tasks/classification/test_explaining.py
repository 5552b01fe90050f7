"""`--mode=explain`: what it shows on the way, and what it writes."""

import os

import numpy as np
import pytest
from programs import program

from tasks.classification import explaining
from tasks.classification.configuration import ClassificationRun
from zoo.predictions import Classified


class Answering:
    """A task whose answer is the share of good words."""

    def predict(self, model, texts):
        shares = [np.mean([word == "good" for word in text.split() or ["bad"]]) for text in texts]
        return [
            Classified(t, "pos", p, {"neg": 1 - p, "pos": p})
            for t, p in zip(texts, shares, strict=True)
        ]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_the_line_of_progress_is_gone_in_the_end(seconds, monkeypatch, capsys):
    monkeypatch.setattr(os, "isatty", lambda number: True)
    monkeypatch.setattr(explaining, "words_read", lambda model, one: one.split())
    run = ClassificationRun(permutations=4, explain_seconds=seconds)
    (found,) = explaining.explain(Answering(), None, "good bad good", run)
    assert [word for word, _ in found.words] == ["good", "bad", "good"]
    lines = capsys.readouterr().err.split("\r")
    assert lines[0] == "order 1 of 4"
    assert lines[-1] == "\033[K"
    assert len(lines) == (3 if seconds == 0 else 5)


def test_an_ending_in_capitals_is_one(tmp_path):
    """As --mode=predict takes .CSV: the model is looked for, and not the ending complained of."""
    flags = ["--mode=explain", "--model=no_such_model", "--text=good"]
    for name, message in (
        ("a.HTML", "--model: "),
        ("a.Htm", "--model: "),
        ("a.csv", "--output_file: expected a name that ends in .html or .htm, which"),
        ("html", "--output_file: expected a name that ends in .html or .htm, which"),
    ):
        run = program("sentiment", *flags, f"--output_file={tmp_path / name}", check=False)
        assert run.stderr.startswith(f"sentiment: {message}"), run.stderr
