"""Questions in batches of like length are answered as at once; too long a text is named."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import batches
from zoo.saving import InMemory

RNG = np.random.default_rng(0)


class Asked(tf.Module):
    """Answers with what it was asked, and keeps the shapes of the questions."""

    signature_names = ("serving_default", "tokens", "numbers", "without_batch")

    def __init__(self):
        super().__init__()
        self.seen = []

    def _see(self, values):
        tf.py_function(lambda some: self.seen.append(tuple(some.shape)), [values], [])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serving_default(self, text):
        self._see(text)
        words = tf.strings.split(text)
        return {
            "tokens": words.to_tensor(),
            "sizes": tf.cast(tf.strings.length(words).to_tensor(), tf.float32),
            "lengths": tf.cast(words.row_lengths(), tf.int32),
            "pair": tf.stack([tf.strings.length(text)] * 2, axis=1),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ]
    )
    def tokens(self, tokens, lengths):
        self._see(tokens)
        return {"tokens": tokens, "lengths": lengths}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def numbers(self, x):
        self._see(x)
        return {"x": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def without_batch(self, text):
        self._see(text)
        return {"text": text, "count": tf.size(text)}


@pytest.fixture
def model():
    return InMemory(Asked())


def test_a_long_text_does_not_pad_the_others(model):
    texts = ["a bc"] * 63 + ["word " * 2000]
    answer = model(texts)
    assert model.module.seen == [(1,), (63,)]
    assert answer["tokens"].shape == answer["sizes"].shape == (64, 2000)
    assert answer["tokens"][0].tolist() == ["a", "bc", *[""] * 1998]
    assert answer["tokens"][63].tolist() == ["word"] * 2000
    assert answer["sizes"][0, :3].tolist() == [1, 2, 0]
    assert answer["sizes"].dtype == np.float32
    assert answer["lengths"].tolist() == [2] * 63 + [2000]
    assert answer["pair"].tolist() == [[4, 4]] * 63 + [[10_000, 10_000]]


def test_short_texts_are_one_batch(model):
    model([f"{'word ' * (i % 20)}x" for i in range(200)])
    assert model.module.seen == [(200,)]


def test_many_texts_are_several(model):
    texts = ["x " * int(n) for n in RNG.integers(0, 400, 1000)]
    answer = model(texts)
    assert len(model.module.seen) > 3
    assert max(model.module.seen) <= (256,)
    assert answer["lengths"].tolist() == [len(text.split()) for text in texts]
    for text, row in zip(texts, answer["tokens"], strict=True):
        words = text.split()
        assert row.tolist() == words + [""] * (answer["tokens"].shape[1] - len(words))


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"], "a"])
def test_few_texts_are_asked_as_they_are(model, texts):
    assert len(model(texts)["lengths"]) == (1 if isinstance(texts, str) else len(texts))
    assert len(model.module.seen) == 1


def test_rows_of_words_are_cut_to_the_longest_of_their_batch(model):
    tokens = np.full([64, 3000], "", object)
    lengths = np.full(64, 2, np.int32)
    tokens[:, :2], tokens[7], lengths[7] = "ab", "ab", 3000
    answer = model.ask("tokens", {"tokens": tokens, "lengths": lengths})
    assert model.module.seen == [(1, 3000), (63, 2)]
    np.testing.assert_array_equal(answer["tokens"], tokens)
    np.testing.assert_array_equal(answer["lengths"], lengths)


def test_what_are_no_texts_is_asked_as_it_is(model):
    model.ask("numbers", {"x": np.zeros(1000)})
    assert model.module.seen == [(1000,)]
    texts = ["a", "b" * 5000]
    answer = model.ask("without_batch", {"text": texts})  # `count` cannot be put together
    assert answer["text"].tolist() == texts and answer["count"] == 2


def test_a_text_that_is_too_long_is_named(model):
    assert model.max_characters == 1_000_000
    model.max_characters = 10
    assert len(model(["ä" * 10, "x" * 10])["lengths"]) == 2  # characters, not bytes
    said = (
        r"^text: expected texts of at most 10 characters\. Received: 11 in text number 2 of 3\. "
        r"Cut it, or set max_characters"
    )
    with pytest.raises(ValueError, match=said):
        model(["", "ä" * 11, "x" * 12])
    with pytest.raises(ValueError, match=r"^tokens: .* 12 in text number 1 of 1"):
        model.ask("tokens", {"tokens": [["a" * 6, "b" * 6]], "lengths": [2]})
    model.max_characters = None
    assert model("x" * 2_000_000)["lengths"].tolist() == [1]


def test_batches_hold_every_text_once_and_little_padding():
    for lengths in (
        RNG.integers(0, 100, 1000),
        RNG.integers(0, 100_000, 300),
        np.array([10**7, *[50] * 500]),
        np.zeros(600, int),
    ):
        found = batches.by_length(lengths)
        assert np.sort(np.concatenate(found)).tolist() == list(range(len(lengths)))
        for numbers in found:
            assert len(numbers) <= 256
            assert len(numbers) == 1 or len(numbers) * lengths[numbers].max() <= 2**16
            assert (np.diff(numbers) > 0).all()
            short = np.maximum(lengths[numbers], 128)
            assert short.max() <= 3 * short.min() + 128
