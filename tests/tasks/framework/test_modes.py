"""Modes of programs: no version is left where a later step fails."""

import pytest
from programs import program

from tasks.tagging.task import TaggingTask

SMALL = ["--units=4", "--character_dim=2", "--embedding_dim=4", "--epochs=1", "--min_count=1"]
SMALL += ["--cell=rnn", "--nobidirectional", "--nojit"]


@pytest.fixture
def flags(tmp_path):
    corpus = tmp_path / "a.conll"
    corpus.write_text("Teddy B-PER\nsmiled O\n\nParis B-LOC\nslept O\n\n" * 8)
    return [
        *SMALL, "--data=files", f"--train_file={corpus}", f"--valid_file={corpus}",
        f"--model_dir={tmp_path / 'model'}", f"--export_dir={tmp_path / 'saved'}",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float32", "float16"])
def test_a_model_that_cannot_answer_is_no_version(tmp_path, flags, weights, monkeypatch):
    saved = tmp_path / "saved"

    def fail(*_):
        raise RuntimeError("no answer")

    method = "predict" if weights == "float32" else "predict_examples"
    with monkeypatch.context() as patch:
        patch.setattr(TaggingTask, method, fail)
        for mode in ("train", "export") if weights == "float32" else ("train",):
            with pytest.raises(RuntimeError, match="no answer"):
                program("ner", *flags, f"--weights={weights}", f"--mode={mode}")
            assert list(saved.iterdir()) == []
    assert f"Saved: {saved / '1'}" in program("ner", *flags, f"--weights={weights}").stdout
    assert [path.name for path in saved.iterdir()] == ["1"]
