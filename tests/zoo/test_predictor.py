"""All predictors take the same questions, and refuse the same ones in the same words."""

import re

import numpy as np
import pytest
import stand_in
import tensorflow as tf

from zoo.catalog.loading import Model
from zoo.inputs import Spec, as_input, as_texts
from zoo.saving import InMemory, export
from zoo.serving.client import connect

STRING, INT32 = np.dtype(object), np.dtype("int32")
KINDS = ("in memory", "SavedModel", "rest", "grpc")


class Echo(tf.Module):
    """What shows how a question arrived."""

    signature_names = ("serving_default", "rows", "numbers")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serving_default(self, text):
        return {"text": text, "bytes": tf.strings.length(text)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ]
    )
    def rows(self, tokens, lengths):
        return {"tokens": tokens, "lengths": lengths, "pair": tf.stack([lengths, lengths], axis=1)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="x"),
            tf.TensorSpec([None, 2], tf.int32, name="n"),
            tf.TensorSpec([None], tf.bool, name="flag"),
        ]
    )
    def numbers(self, x, n, flag):
        return {"x": x, "n": n, "flag": flag}


class Column:
    """What can be iterated over, and is neither list nor array."""

    def __init__(self, *values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


class Table(Column):
    """A table of two axes gives its columns' names, as a data frame does."""

    ndim = 2


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    module, folder = Echo(), tmp_path_factory.mktemp("predictors") / "echo"
    signatures = {name: getattr(module, name) for name in module.signature_names}
    version = export.save(module, signatures, str(folder))
    with stand_in.serve({"echo": folder}) as (rest, grpc):
        yield {
            "in memory": InMemory(module),
            "SavedModel": Model(version),
            "rest": connect(rest, "echo"),
            "grpc": connect(grpc, "echo"),
        }


@pytest.fixture(params=KINDS)
def predictor(request, predictors):
    return predictors[request.param]


TEXTS = {
    "str": (lambda: "né", ["né"]),
    "empty str": (lambda: "", [""]),
    "bytes": (lambda: "né".encode(), ["né"]),
    "bytes that are not UTF-8": (lambda: b"\xffa", ["\ufffda"]),
    "str of NumPy": (lambda: np.str_("né"), ["né"]),
    "tensor without axes": (lambda: tf.constant("né"), ["né"]),
    "tensor": (lambda: tf.constant(["a", "né"]), ["a", "né"]),
    "variable": (lambda: tf.Variable(["a", "né"]), ["a", "né"]),
    "array without axes": (lambda: np.array("né"), ["né"]),
    "array of str": (lambda: np.array(["a", "né"]), ["a", "né"]),
    "array of bytes": (lambda: np.array([b"a", "né".encode()]), ["a", "né"]),
    "array of objects": (lambda: np.array(["a", "né".encode()], object), ["a", "né"]),
    "list": (lambda: ["a", "né".encode()], ["a", "né"]),
    "list of tensors": (lambda: [tf.constant("a"), np.array("né")], ["a", "né"]),
    "tuple": (lambda: ("a", "né"), ["a", "né"]),
    "generator": (lambda: (text for text in ("a", "né")), ["a", "né"]),
    "map": (lambda: map(str, (1, 2)), ["1", "2"]),
    "keys": (lambda: {"a": 1, "né": 2}.keys(), ["a", "né"]),
    "column": (lambda: Column("a", "né"), ["a", "né"]),
    "dataset": (lambda: tf.data.Dataset.from_tensor_slices(["a", "né"]), ["a", "né"]),
    "empty list": (list, []),
    "empty array": (lambda: np.array([]), []),
    "empty generator": (lambda: iter(()), []),
}
REFUSED = {
    "None": lambda: None,
    "integer": lambda: 5,
    "number": lambda: 1.5,
    "list with None": lambda: ["a", None],
    "list with a number": lambda: ["a", 1],
    "nested list": lambda: [["a"]],
    "nested generators": lambda: (iter("a") for _ in range(2)),
    "dict": lambda: {"a": 1},
    "bytearray": lambda: bytearray(b"a"),
    "array of numbers": lambda: np.zeros(2),
    "array of two axes": lambda: np.array([["a"], ["né"]]),
    "empty array of two axes": lambda: np.zeros([0, 3]),
    "tensor of numbers": lambda: tf.constant([1, 2]),
    "tensor of two axes": lambda: tf.constant([["a"], ["né"]]),
    "table": lambda: Table("a", "né"),
}


@pytest.mark.parametrize("form", TEXTS)
def test_texts_are_taken_in_all_forms(predictor, form):
    make, expected = TEXTS[form]
    for answer in (predictor(make()), predictor.ask("serving_default", {"text": make()})):
        assert answer["text"].dtype == object and answer["bytes"].dtype == np.int32
        assert answer["text"].tolist() == expected
        assert all(isinstance(text, str) for text in answer["text"])
    texts = [text.encode() if isinstance(text, str) else text for text in as_texts(make())]
    assert answer["bytes"].tolist() == [len(text) for text in texts]


@pytest.mark.parametrize("form", REFUSED)
def test_all_else_is_refused_in_the_same_words(predictors, form):
    said = set()
    for predictor in predictors.values():
        with pytest.raises(ValueError, match=r"^text: expected texts: str or bytes, ") as e:
            predictor(REFUSED[form]())
        said.add(re.sub(r" at 0x\w+", "", str(e.value)))  # where an object is in memory
    assert len(said) == 1 and "Received: " in said.pop()


def test_half_a_character_is_refused(predictor):
    with pytest.raises(ValueError, match=r"^text: expected texts of whole characters.*\\ud83d"):
        predictor(["a", "\ud83d"])


def test_a_long_value_is_not_shown_whole():
    with pytest.raises(ValueError, match=r"Received: \[None, 'a+\.\.\.a+', 1, 1, 1, 1, \.\.\.\]$"):
        as_texts([None, "a" * 10_000, *[1] * 10_000])


def test_rows_of_texts(predictor):
    for tokens in (
        [["a", b"b"], ["c", ""]],
        np.array([["a", "b"], ["c", ""]]),
        tf.constant([["a", "b"], ["c", ""]]),
        (row for row in (("a", "b"), ("c", ""))),
    ):
        answer = predictor.ask("rows", {"tokens": tokens, "lengths": (n for n in (2, 1))})
        assert answer["tokens"].tolist() == [["a", "b"], ["c", ""]]
        np.testing.assert_array_equal(answer["lengths"], [2, 1])
    nothing = predictor.ask("rows", {"tokens": [], "lengths": []})
    assert nothing["tokens"].shape == (0, 0)


def test_what_is_beyond_the_longest_text_is_cut_off(predictor):
    answer = predictor.ask("rows", {"tokens": [["a", "b", ""]], "lengths": [1]})
    assert answer["tokens"].tolist() == [["a"]]
    assert answer["pair"].tolist() == [[1, 1]]  # its second axis is not time


def test_numbers_are_converted_without_loss(predictor):
    answer = predictor.ask(
        "numbers",
        {
            "x": np.array([1, 2]),
            "n": tf.constant([[1, 2], [3, 4]], tf.int64),
            "flag": iter([True, 0]),
        },
    )
    assert {name: value.dtype for name, value in answer.items()} == {
        "x": np.float32,
        "n": np.int32,
        "flag": np.bool_,
    }
    assert answer["n"].tolist() == [[1, 2], [3, 4]]
    assert answer["flag"].tolist() == [True, False]
    one = predictor.ask("numbers", {"x": 0.5, "n": [[1, 2]], "flag": True})
    assert one["x"].tolist() == [0.5]
    nothing = predictor.ask("numbers", {"x": [], "n": [], "flag": []})
    assert nothing["n"].shape == (0, 2)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (Spec(INT32, (None,)), [0.5]),
        (Spec(INT32, (None,)), [2**31]),
        (Spec(INT32, (None,)), [2**70]),
        (Spec(INT32, (None,)), [np.nan]),
        (Spec(INT32, (None,)), ["1"]),
        (Spec(INT32, (None,)), [None]),
        (Spec(INT32, (None,)), None),
        (Spec(INT32, (None,)), {"a": 1}),
        (Spec(INT32, (None,)), [[1]]),
        (Spec(INT32, (None, 2)), [1, 2]),
        (Spec(INT32, (None, 2)), [[1, 2, 3]]),
        (Spec(INT32, (None, None)), [[1, 2], [3]]),
        (Spec(np.dtype("float32"), (None,)), ["1"]),
        (Spec(np.dtype(bool), (None,)), [2]),
        (Spec(STRING, (None, None)), ["a"]),
        (Spec(STRING, (None, None)), [["a"], []]),
        (Spec(STRING, (None, None)), [["a", 1]]),
        (Spec(STRING, (None, None)), [["a", None]]),
    ],
)
def test_inputs_that_do_not_fit(spec, value):
    with pytest.raises(ValueError, match=r"^name: expected .*\[\?.*\]\. Received: ") as caught:
        as_input("name", value, spec)
    assert str(spec) in str(caught.value)


def test_a_tensor_of_any_shape():
    spec = Spec(STRING, None)
    assert str(spec) == "string[...]"
    for value in ("a", ["a"], [["a", "b"]]):
        assert as_input("name", value, spec).shape == np.shape(value)


def test_a_signature_of_one_input_is_given_that_alone(predictor):
    assert predictor.ask("serving_default", "a")["text"].tolist() == ["a"]
    assert predictor.ask("serving_default", ["a", b"bc"])["bytes"].tolist() == [1, 2]


def test_a_single_value_stands_for_all_rows(predictor):
    n = [[1, 2], [3, 4], [5, 6]]
    found = predictor.ask("numbers", {"x": 0.5, "n": n, "flag": np.bool_(True)})
    assert found["x"].tolist() == [0.5] * 3
    assert found["flag"].tolist() == [True] * 3
    assert found["n"].tolist() == n
    alone = predictor.ask("numbers", {"x": tf.constant(0.5), "n": n[:1], "flag": False})
    assert alone["x"].tolist() == [0.5]


@pytest.mark.parametrize("x", [[0.5], [0.5, 1.0]])
def test_rows_that_do_not_fit_are_named(predictor, x):
    question = {"x": x, "n": [[1, 2], [3, 4], [5, 6]], "flag": True}
    message = rf"as many rows each\. Received: {{'n': 3, 'x': {len(x)}}}"
    with pytest.raises(ValueError, match=message):
        predictor.ask("numbers", question)


def test_signatures_and_inputs_that_are_other_ones(predictors):
    said = []
    for predictor in predictors.values():
        assert {name: str(spec) for name, spec in predictor.signatures["rows"].inputs.items()} == {
            "tokens": "string[?, ?]",
            "lengths": "int32[?]",
        }
        with pytest.raises(ValueError, match=r"'no': expected one of the signatures") as no_name:
            predictor.ask("no", {})
        with pytest.raises(ValueError, match=r"Received: \['text', 'words'\]") as inputs:
            predictor.ask("serving_default", {"text": ["a"], "words": ["a"]})
        with pytest.raises(ValueError, match=r"expected inputs \['text'\]. Received: \[\]"):
            predictor.ask("serving_default", {})
        with pytest.raises(
            ValueError, match=r"expected inputs \['lengths', 'tokens'\]. Rec.*: 'a'"
        ):
            predictor.ask("rows", "a")
        said.append((str(no_name.value).partition("signature 'no'")[2], str(inputs.value)))
    assert len({*said}) == 1
