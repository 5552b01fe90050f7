"""Figures are whole or not there."""

import pytest

from tasks.classification.figures import calibration, roc_curves
from tasks.framework import figures

PNG = b"\x89PNG\r\n\x1a\n"
GOLD, SCORES = ["a", "b"], {"a": [0.9, 0.2], "b": [0.1, 0.8]}


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: figures.learning_curves([{"epoch": 1, "loss": 1.0, "f1": 0.5}], "f1", path),
        lambda path: figures.confusion_matrix(GOLD, GOLD, path),
        lambda path: roc_curves(GOLD, SCORES, path),
        lambda path: calibration(GOLD, SCORES, path),
    ],
    ids=["learning_curves", "confusion_matrix", "roc_curves", "calibration"],
)
def test_a_figure_that_cannot_be_finished_leaves_the_old_one(draw, tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    draw(str(path))
    before = path.read_bytes()
    assert before.startswith(PNG)

    def half(self, temporary, **_):
        with open(temporary, "wb") as file:
            file.write(PNG)
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(figures.Figure, "savefig", half)
        with pytest.raises(OSError, match="no space left"):
            draw(str(path))
    figures.plt.close("all")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
