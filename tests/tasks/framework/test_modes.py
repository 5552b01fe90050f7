"""Modes of programs: no version is left where a later step fails."""

import pytest
from programs import program

from tasks.classification import Sentiment

SMALL = ["--embedding_dim=4", "--epochs=1", "--min_count=1", "--cell=none", "--nojit"]


@pytest.fixture
def flags(tmp_path):
    corpus = tmp_path / "a.tsv"
    corpus.write_text("text\tlabel\n" + "a good film\tpos\na bad film\tneg\n" * 8)
    return [
        *SMALL, "--data=files", f"--train_file={corpus}", f"--valid_file={corpus}",
        f"--model_dir={tmp_path / 'model'}", f"--export_dir={tmp_path / 'saved'}",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_model_that_cannot_answer_is_no_version(tmp_path, flags, monkeypatch):
    """Neither after training nor exported later; and what is a version already stays."""
    saved = tmp_path / "saved"

    def fail(*_):
        raise RuntimeError("no answer")

    for method, mode, weights in (
        ("predict_examples", "train", "float16"),
        ("predict", "export", "float32"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Sentiment, method, fail)
            with pytest.raises(RuntimeError, match="no answer"):
                program("sentiment", *flags, f"--weights={weights}", f"--mode={mode}")
        assert list(saved.iterdir()) == []
    # What was not trained is not exported, and the run stays the one that it was.
    run = program("sentiment", *flags, "--mode=export", "--epochs=9", check=False)
    assert "there, 9 now. Leave it out." in run.stderr and len(run.stderr.splitlines()) == 1
    (saved / "1").mkdir()
    done = program("sentiment", *flags, "--mode=export", "--weights=float16")
    assert f"Saved: {saved / '2'}" in done.stdout
    assert sorted(path.name for path in saved.iterdir()) == ["1", "2"]
    assert not list((saved / "1").iterdir())
