"""What a training run leaves behind, also where a later step fails."""

import json

import pytest

from tasks.data.errors import UserError
from tasks.framework import figures, train
from tasks.language import Language, LanguageConfig
from tasks.language.task import LanguageTrainer
from tasks.tagging import NamedEntities, TaggingConfig
from zoo.catalog.results import RunResults


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the cat was full .\nthe cats were full .\n" * 8)
    return LanguageConfig.of(
        data="files", train_file=str(path), valid_file=str(path), test_file=str(path), units=4,
        embedding_dim=4, epochs=1, batch_size=8, cell="rnn", jit=False,
    )  # fmt: skip


def test_what_was_measured_is_kept_where_a_later_step_fails(config, tmp_path, monkeypatch):
    """Of one run, whose training is over when it is measured again."""

    def fail(*_):
        raise RuntimeError("no figure")

    for place, name in (
        (LanguageTrainer, "in_memory"),
        (LanguageTrainer, "further_metrics"),
        (LanguageTrainer, "further_figures"),
        (figures, "learning_curves"),
        (Language, "draw"),
    ):
        (tmp_path / "run" / "results.json").unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fail)
            with pytest.raises(RuntimeError, match="no figure"):
                train(Language(), config, str(tmp_path / "run"))
        found = RunResults.read(tmp_path / "run" / "results.json")
        assert found.validation.keys() == found.test.keys() >= {"perplexity"}, name
        assert found.wall_seconds > 0
        assert found.further == {}


def test_what_comes_later_is_written_too(config, tmp_path, monkeypatch):
    monkeypatch.setattr(LanguageTrainer, "further_metrics", lambda *_: {"more": 1.0})
    monkeypatch.setattr(LanguageTrainer, "further_figures", lambda *_: {"figure": 2.0})
    trained = train(Language(), config, str(tmp_path / "run"))
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["validation"]["more"] == found["test"]["more"] == 1.0
    assert found["figure"] == 2.0
    assert RunResults.read(tmp_path / "run" / "results.json") == trained.results


def test_a_finished_run_keeps_the_figures_that_it_is_not_asked_for_again(
    config, tmp_path, monkeypatch
):
    config = config.replace(running=True)

    def measured(**figures):
        monkeypatch.setattr(LanguageTrainer, "further_figures", lambda *_: figures)
        return train(Language(), config, str(tmp_path)).results

    first = measured(one=1.0, two=2.0)
    assert measured(two=3.0).further == {"one": 1.0, "two": 3.0}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageTrainer, "further_figures", stop)
    with pytest.raises(KeyboardInterrupt):
        train(Language(), config, str(tmp_path))
    kept = RunResults.read(tmp_path / "results.json")
    assert kept.further == {"one": 1.0, "two": 3.0}
    assert kept.wall_seconds == first.wall_seconds
    (tmp_path / "results.json").write_text("{damaged")
    assert measured(two=3.0).further == {"two": 3.0}
    # Those of other epochs are of another model.
    (tmp_path / "checkpoint.npz").unlink()
    assert measured(two=2.0).further == {"two": 2.0}
    # States that training carries from batch to batch are no parameters.
    words, width = first.model["vocabulary_size"], 4
    assert first.parameters == words * width + (2 * width + 1) * width + words


# --- What a run may not say of the model that it starts from -----------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 300}, "--units=128 there, 300 now"),
        ({"cell": "gru", "crf": False}, "--cell='lstm' there, 'gru' now; --crf=True there, False"),
    ],
)
def test_from_python_options_of_another_shape_are_refused(changes, message):
    config = TaggingConfig.of(init_from="ner_demo", **changes)
    with pytest.raises(UserError) as found:
        train(NamedEntities(), config)
    assert message in str(found.value)


def test_what_is_no_default_is_known():
    config = LanguageConfig.of(units=300, tokens="characters", epochs=8)
    assert config.changed() == {"units": 300, "tokens": "characters"}
    assert TaggingConfig().changed() == {}
