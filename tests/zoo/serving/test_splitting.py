"""Questions above the server's limit are sent in parts, and answered as one."""

import functools

import numpy as np
import pytest
from served import TEXTS, check_equal
from slow import forward, hang_up, listening

from zoo.batches import joined
from zoo.serving.client import ServerError, connect
from zoo.serving.options import ServerConfig
from zoo.serving.splitting import MAX_BATCH_SIZE, parts

# The stand-in takes 8 at once.
MANY = [*TEXTS, "", "Teddy", *TEXTS[::-1], *["the cat smiled . " * n for n in range(9)]]
NUMBERS = {"x": np.arange(20.0), "n": np.arange(20) - 3, "flag": np.arange(20) % 3 == 0}


@pytest.fixture(scope="module")
def whole(local):
    """The answers of the models as they load here."""
    return functools.cache(lambda name: local(name)(MANY))


@pytest.mark.parametrize("most", [1, 3, 8])
@pytest.mark.parametrize("name", ["tagger", "classifier", "language"])
def test_the_answer_is_that_to_the_whole(whole, address, name, most):
    check_equal(connect(address, name, max_batch_size=most)(MANY), whole(name))


def test_signatures_with_several_inputs_are_cut_alike(local, address):
    words = np.array([["Teddy", "smiled", "."], ["the", "cat", ""], ["", "", ""]] * 4, object)
    lengths = [3, 2, 0] * 4
    questions = {
        "tagger": ("tokens", {"tokens": words, "lengths": lengths}),
        "language": (
            "generate",
            {
                "prompt": ["The cat", "", "Teddy"] * 4,
                "max_length": [5, 3, 4] * 4,
                "temperature": [1.0] * 12,
                "top_k": [0] * 12,
                "top_p": [1.0] * 12,
                "seed": np.arange(12),
            },
        ),
        "odd": ("numbers", NUMBERS),
    }
    for name, (signature, inputs) in questions.items():
        here = local(name, 2 if name == "odd" else 1).ask(signature, inputs)
        there = connect(address, name, timeout=60, max_batch_size=5)
        check_equal(there.ask(signature, inputs), here)


def test_texts_are_counted_before_anything_is_sent(address):
    model = connect(address, "odd", max_characters=3)
    assert model(["äöü", ""])["length"].shape == (2,)
    with pytest.raises(
        ValueError, match=r"at most 3 characters\. Received: 4 in text number 2 of 2"
    ):
        model(["a", "abcd"])
    assert connect(address, "odd", max_characters=None)("abcd")["length"].shape == (1,)


def test_parts_are_as_large_as_they_may_be(models, address, monkeypatch):
    version, sizes = models.versions["odd"][2], []
    predict = version.predict

    def counting(request):
        sizes.append(request.inputs["text"].tensor_shape.dim[0].size)
        return predict(request)

    monkeypatch.setattr(version, "predict", counting)
    for count, expected in ((0, [0]), (1, [1]), (8, [8]), (9, [8, 1]), (16, [8, 8])):
        sizes.clear()
        answer = connect(address, "odd", max_batch_size=8)(["a" * n for n in range(count)])
        assert answer["length"].tolist() == [2 * n for n in range(count)]
        assert sizes == expected


def test_the_server_refuses_what_is_larger(address):
    expected = r"Task size 9 is larger than maximum input batch size 8.*(HTTP 400|INVALID_ARG)"
    with pytest.raises(ServerError, match=expected):
        connect(address, "odd")(["a"] * 9)


def test_a_longer_text_of_someone_else_in_one_part_changes_nothing(
    whole, models, address, monkeypatch
):
    """The parts are then of different widths, and wider than the whole."""
    (version,) = models.versions["tagger"].values()
    company = {"text": np.array([b"the cat smiled . " * 40], object)}
    predict, calls = version.predict, iter([company, None, company])

    def accompanied(request):
        found = next(calls)
        monkeypatch.setattr(version, "company", {"serving_default": found} if found else {})
        return predict(request)

    monkeypatch.setattr(version, "predict", accompanied)
    monkeypatch.setattr(version, "max_batch_size", 9)
    answer = connect(address, "tagger", max_batch_size=8)(MANY)
    monkeypatch.undo()
    check_equal(answer, whole("tagger"))


def test_a_part_that_is_lost_is_asked_again(server):
    handlers = [forward(server.rest), hang_up, forward(server.rest), hang_up, forward(server.rest)]
    with listening(*handlers) as port:
        model = connect(f"http://127.0.0.1:{port}", "odd", max_batch_size=2)
        assert model(["a", "bc", "def"])["length"].tolist() == [2, 4, 6]


def test_a_part_that_fails_is_the_answer(address):
    with pytest.raises(ServerError, match="n is to be positive"):
        connect(address, "odd", max_batch_size=2).ask("fails", {"n": [1, 2, 3, 0]})


def test_inputs_without_one_batch_are_not_cut(address):
    model = connect(address, "odd", max_batch_size=2)
    for x in ([1.0, 2, 3], [1.0]):
        with pytest.raises(ValueError, match=r"as many rows each.*'flag': 2, 'n': 2, 'x': [31]\}"):
            model.ask("numbers", {"x": x, "n": [1, 2], "flag": [True, False]})
    with pytest.raises(ValueError, match=r"the batch as first axis, 3 rows.*\{'flag': \(2,\)\}"):
        parts({"x": np.arange(3), "n": np.arange(3), "flag": np.arange(2)}, 2)
    with pytest.raises(ValueError, match=r"Received: shapes \{'scalar': \(\)\}"):
        parts({"scalar": np.array(1), "x": np.arange(3)}, 2)


def test_the_limit_is_the_servers():
    assert ServerConfig().max_batch_size == MAX_BATCH_SIZE == 256
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"max_batch_size >= 1. Received: .*={wrong}"):
            connect("http://localhost:8501", "odd", max_batch_size=wrong)


def test_parts_that_are_joined_are_padded_in_all_axes():
    answers = [
        {"a": np.ones([1, 2, 3], "float32"), "b": np.array([["x"]], object)},
        {"a": np.full([2, 3, 1], 2, "float32"), "b": np.array([[b"y", b""], [b"z", b"w"]], object)},
        {"a": np.ones([0, 0, 0], "float32"), "b": np.zeros([0, 0], object)},
    ]
    whole = joined(answers)
    assert whole["a"].shape == (3, 3, 3) and whole["a"].dtype == np.float32
    assert whole["a"].sum() == 6 + 12 and whole["a"][0, 2].tolist() == [0, 0, 0]
    assert whole["b"].tolist() == [["x", ""], [b"y", b""], [b"z", b"w"]]
    with pytest.raises(ValueError, match="a: expected an output with the batch as first axis"):
        joined([{"a": np.array(1)}] * 2)
