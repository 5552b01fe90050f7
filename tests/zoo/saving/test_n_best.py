"""The most probable sequences of tags, of raw text."""

import itertools

import numpy as np
import pytest

from zoo import predictions, text
from zoo.configuration import TaggerConfig
from zoo.models import Tagger
from zoo.records import record
from zoo.saving.in_memory import InMemory
from zoo.saving.tagger import TaggerModule

NAMES = ["O", "B-PER", "I-PER"]
TEXTS = ["Marie Curie in New", "", "a", "in a in a in a in a in a in a in a in a in a in a in a"]


@pytest.fixture(scope="module", params=[True, False], ids=["crf", "no crf"])
def tagger(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    words = text.write_lines(str(folder / "vocabulary.txt"), [text.UNKNOWN_WORD, "a", "in"])
    tags = text.write_lines(str(folder / "tags.txt"), NAMES)
    vocabulary = text.Vocabulary(words)
    small = {"units": 3, "embedding_dim": 3, "character_dim": 3, "cell": "rnn", "jit": False}
    config = TaggerConfig(
        vocabulary_size=vocabulary.size, tags=tuple(NAMES), crf=request.param, **small
    )
    model = Tagger(config)
    model.build()
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 1, variable.shape))
    return InMemory(TaggerModule(model, vocabulary, tags))


def test_they_are_distinct_ordered_and_the_first_is_the_best(tagger):
    answer = tagger.n_best(TEXTS, 5)
    best = predictions.tagged(tagger(TEXTS), TEXTS)
    for one, sequences in zip(best, predictions.n_best_tags(answer), strict=True):
        assert len(sequences) == (5 if len(one.tokens) > 1 else min(5, len(sequences)))
        tags = [tuple(some) for some, _ in sequences]
        p = [p for _, p in sequences]
        assert len({*tags}) == len(tags) and p == sorted(p, reverse=True) and sum(p) <= 1 + 1e-5
        assert tags[0] == tuple(one.tags)
    assert predictions.n_best_tags(answer)[1] == [([], 1.0)]


def test_all_sequences_of_a_short_text_have_the_probability_1_together(tagger):
    (found,) = predictions.n_best_tags(tagger.n_best("Marie Curie in", 27))
    allowed = {
        tags
        for tags in itertools.product(NAMES, repeat=3)
        if all(b != "I-PER" or a != "O" for a, b in itertools.pairwise(("O", *tags)))
    }
    assert sum(p for _, p in found) == pytest.approx(1, abs=1e-5)
    crf = len(found) < 27
    assert {tuple(tags) for tags, _ in found} == (
        allowed if crf else {*itertools.product(NAMES, repeat=3)}
    )


def test_a_text_has_the_same_ones_alone_and_as_many_as_are_asked_for(tagger):
    wanted = [1, 4, 2, 6]
    together = predictions.n_best_tags(tagger.n_best(TEXTS, wanted))
    assert [len(some) for some in together] == [1, 1, 2, 6]
    for one, n, expected in zip(TEXTS, wanted, together, strict=True):
        (alone,) = predictions.n_best_tags(tagger.n_best([one], n))
        assert [tags for tags, _ in alone] == [tags for tags, _ in expected]
        np.testing.assert_allclose([p for _, p in alone], [p for _, p in expected], rtol=1e-4)
    assert tagger.n_best([], 3)["count"].shape == (0,)
    assert tagger.ask("n_best", {"text": ["a"], "n": [0]})["count"].tolist() == [1]
    for n in (0, -1, True, 2.5, [3, -5]):
        with pytest.raises(ValueError, match="n_best: expected n of 1 or more"):
            tagger.n_best(["a", "b"], n)


def test_as_json_they_have_names(tagger):
    (one,) = predictions.tagged(tagger("a"), ["a"])
    assert "n_best" not in record(one)
    more = predictions.TaggedText(one.tokens, one.tags, one.confidence, n_best=[(["O"], 0.5)])
    assert record(more)["n_best"] == [{"tags": ["O"], "probability": 0.5}]
