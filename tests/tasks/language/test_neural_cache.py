"""The neural cache, compared with its equations token by token."""

import numpy as np
import pytest
from cases import without_graphs

from tasks.language import neural_cache
from tasks.language.neural_cache import Cache, Read
from zoo.configuration import LanguageModelConfig
from zoo.models import LanguageModel

RNG = np.random.default_rng(0)
TEXT = Read(
    ids=RNG.integers(2, 6, 23), a=RNG.normal(size=[23, 3]).astype("float32"), p=RNG.random(23)
)


def by_the_book(read, size, theta):
    found = []
    for t, (a, y) in enumerate(zip(read.a, read.ids, strict=True)):
        weights = {i: np.exp(theta * a @ read.a[i]) for i in range(max(0, t - size), t)}
        right = sum(w for i, w in weights.items() if read.ids[i] == y)
        found.append(right / sum(weights.values()) if weights else 0.0)
    return found


@pytest.mark.parametrize("size", [1, 4, 5, 100])
def test_it_is_what_the_equations_say_wherever_the_text_is_cut(size, monkeypatch):
    monkeypatch.setattr(neural_cache, "_LOOKING", 5)
    thetas = [0.5, 2.0]
    for found, theta in zip(neural_cache.look_up(TEXT, size, thetas), thetas, strict=True):
        np.testing.assert_allclose(found, by_the_book(TEXT, size, theta), rtol=1e-5, atol=1e-12)


def test_steep_and_far_states_are_neither_infinite_nor_nothing():
    far = Read(TEXT.ids, 100 * TEXT.a, TEXT.p)
    (found,) = neural_cache.look_up(far, 10, [50.0])
    assert np.all((found >= 0) & (found <= 1)) and found.sum() > 0


def test_the_best_of_what_is_tried_is_taken():
    """States that tell which token comes are trusted; those that say nothing are not."""
    ids = RNG.integers(2, 6, 300)
    telling = np.eye(6, dtype="float32")[ids] * 3
    p = np.full(300, 0.25)
    trusted = neural_cache.fitted([Read(ids, telling, p)], size=50)
    assert trusted.share == max(neural_cache.LAMBDAS)
    assert np.log(trusted.probabilities(Read(ids, telling, p))).mean() > np.log(0.4)
    blind = neural_cache.fitted([Read(ids, np.ones_like(telling), p)], size=2)
    assert blind.share == min(neural_cache.LAMBDAS)


@without_graphs
def test_a_model_reads_a_text_in_windows_as_it_scores_it(monkeypatch):
    monkeypatch.setattr(neural_cache, "_STEPS", 4)
    config = LanguageModelConfig(vocabulary_size=9, units=4, embedding_dim=3, jit=False)
    model = LanguageModel(config)
    model.build()
    ids = RNG.integers(1, 9, 10).astype("int32")
    read = neural_cache.reader(model)(ids)
    expected, _ = model.log_probabilities(ids[None], np.zeros([1], "int32"), model.zero_states(1))
    np.testing.assert_allclose(np.log(read.p), expected[0], atol=1e-5)
    assert read.a.shape == (10, 3)
    # What the cache knows of the past changes the likelihood of a word, but the sum stays 1.
    other = Cache(size=5, theta=1.0, share=0.3)
    total = 0.0
    for word in range(9):
        swapped = Read(np.concatenate([ids[:-1], [word]]), read.a, read.p)
        total += neural_cache.look_up(swapped, other.size, [other.theta])[0][-1]
    assert total == pytest.approx(1)
