"""A prompt stays as it is, byte for byte; what is drawn is joined to it."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import text
from zoo.configuration import LanguageModelConfig
from zoo.decoding import drawing
from zoo.decoding.writing import continued
from zoo.models import LanguageModel
from zoo.saving import InMemory, LanguageModule
from zoo.text import tokens

PROMPTS = [
    "Zoë:  THE cat", "", " ", "a ", "a\n\n", "\ta\r\n b ", "x <UNK> <EOS> y", "日本",
    "e\u0301\u200d\u2028", "it is “so” – doesn’t", "a" * 300 + ' "b', "\x00a\x00",
]  # fmt: skip


def written(prompt, drawn, kind):
    """What stands behind the prompt."""
    given = prompt if isinstance(prompt, bytes) else prompt.encode()
    row = tf.constant([drawn], tf.string, shape=[1, len(drawn)])
    found = continued(tf.constant([given]), row, kind).numpy()[0]
    assert found.startswith(given)
    return found[len(given) :].decode()


@pytest.mark.parametrize(
    ("prompt", "drawn", "words", "split"),
    [
        ("The", ["cat", "."], " cat.", " cat ."),
        ("The ", ["cat"], "cat", "cat"),
        ("The\n", ["cat", "<EOS>"], "cat", "cat"),
        ("The\u00a0", ["cat"], "cat", "cat"),
        ("", ["The", "cat"], "The cat", "The cat"),
        ("The cat", [".", "<EOS>"], ".", " ."),
        ("The cat ", ["."], ".", "."),
        ("The cat", ["<EOS>"], "", ""),
        ("The cat", [], "", ""),
        ("The cat (", ["was", ")"], "was)", " was )"),
        ("do", ["n't"], "n't", " n't"),
        ("well", ["-", "known"], "-known", " - known"),
        ('"' + "a " * 40, ["b", '"', "c"], 'b" c', 'b " c'),
        ('It is "', ["so", '"'], 'so"', ' so "'),
        (b"caf\xc3", ["x"], " x", " x"),
        (b"\xff", ["x"], " x", " x"),
    ],
)
def test_words_are_joined_to_what_is_before_them(prompt, drawn, words, split):
    assert written(prompt, drawn, "words") == words
    assert written(prompt, drawn, "split") == split
    assert written(prompt, drawn, "characters") == "".join(drawn).replace("<EOS>", "")


def test_no_text_at_all():
    for kind in tokens.KINDS:
        assert continued(tf.zeros([0], tf.string), tf.zeros([0, 0], tf.string), kind).shape == [0]


@pytest.fixture(scope="module", params=tokens.KINDS)
def model(request, tmp_path_factory):
    """A language model of random weights, in memory."""
    kind = request.param
    some = tokens.tokenize(tf.constant(["The cat ( was ) full , a b .\nThe"]), kind)
    names = tokens.make_vocabulary(some.flat_values.numpy().tolist(), 99, 1, kind)
    path = text.write_lines(str(tmp_path_factory.mktemp(kind) / "vocabulary.txt"), names)
    reader = tokens.Tokens(path, kind)
    small = {"units": 8, "embedding_dim": 4, "cell": "rnn", "jit": False}
    untrained = LanguageModel(LanguageModelConfig(vocabulary_size=reader.size, **small))
    untrained.build()
    return InMemory(LanguageModule(untrained, reader))


def ask(model, prompts, max_length=20, temperature=1.0, top_k=0, top_p=1.0, seed=0):
    def each(value, dtype):
        return np.broadcast_to(np.array(value, dtype), [len(prompts)])

    return model.ask(
        "generate",
        {
            "prompt": prompts,
            "max_length": each(max_length, np.int32),
            "temperature": each(temperature, np.float32),
            "top_k": each(top_k, np.int32),
            "top_p": each(top_p, np.float32),
            "seed": each(seed, np.int32),
        },
    )


def test_the_answer_begins_with_the_prompt(model):
    answer = ask(model, PROMPTS, seed=np.arange(len(PROMPTS)))["text"]
    for prompt, found in zip(PROMPTS, answer, strict=True):
        assert found.startswith(prompt)
        assert "<UNK>" not in found[len(prompt) :]
    assert ask(model, PROMPTS, 0)["text"].tolist() == PROMPTS
    raw = model.module.write(tf.constant([b"\xff\xe2\x98 a\xc3"]), tf.zeros([1, 0], tf.int32))
    assert raw.numpy()[0] == b"\xff\xe2\x98 a\xc3"


def test_an_unknown_prompt_is_read_as_unknown(model):
    a, _ = model.module.read(tf.constant(["☃", "☂"]))
    np.testing.assert_array_equal(a[0], a[1])
    assert not np.allclose(a[0], model.module.read(tf.constant([""]))[0])


def test_texts_do_not_depend_on_what_else_is_asked(model):
    lengths = np.array([600, 3, 0, -5, -(2**31), 260, 1, 300, 20, 30, 5, 2], np.int32)
    seeds = np.arange(len(PROMPTS))
    together = ask(model, PROMPTS, lengths, seed=seeds)
    for i, prompt in enumerate(PROMPTS):
        alone = ask(model, [prompt], lengths[i], seed=seeds[i])
        assert alone["text"][0] == together["text"][i]
        np.testing.assert_allclose(
            alone["log_probability"][0], together["log_probability"][i], rtol=1e-4, atol=1e-4
        )
    nothing = lengths <= 0
    assert [*together["text"][nothing]] == [p for p, n in zip(PROMPTS, nothing, strict=True) if n]
    np.testing.assert_array_equal(together["log_probability"][nothing], 0)


def test_numbers_at_the_edge(model):
    empty = ask(model, [])
    assert empty["text"].shape == empty["log_probability"].shape == (0,)
    for seed in (-(2**31), -1, 2**31 - 1):
        assert ask(model, ["a"], seed=seed)["text"][0].startswith("a")
    greedy = ask(model, ["a"], temperature=0.0)["text"]
    for cold in (-1.0, -np.inf, np.nan):
        assert ask(model, ["a"], temperature=cold, seed=3)["text"] == greedy
    assert ask(model, ["a"], top_p=-1.0, seed=3)["text"] == greedy
    free = ask(model, ["a"], seed=3)["text"]
    assert ask(model, ["a"], top_p=np.nan, top_k=-2, seed=3)["text"] == free
    assert ask(model, ["a"], top_k=2**31 - 1, top_p=9.0, seed=3)["text"] == free


def test_a_length_without_end_takes_no_memory(model):
    """What is asked for is no more than what is drawn: `<EOS>` comes soon."""
    hot = ask(model, ["a"], max_length=2**31 - 1, temperature=100.0)["text"][0]
    assert len(hot) < 10_000


def test_seeds_draw_the_numbers_that_are_given(model):
    """`generate` is `read`, `draw` and `write`, as the terminal uses them."""
    module, prompt, count = model.module, tf.constant(["The cat"]), 300
    a, states = module.read(prompt)
    uniform = drawing.uniforms(tf.constant([5]), tf.constant(count))
    one, none = tf.constant([1.0]), tf.constant([0])
    ids, *_ = module.draw(
        a, states, tf.constant([count]), one, none, one, uniform, tf.constant(False)
    )
    found = module.write(prompt, ids).numpy()[0].decode()
    assert found == ask(model, ["The cat"], count, seed=5)["text"][0]
