"""Many texts at the same time, with a model here or on a server that keeps nothing."""

import numpy as np
import pytest

from zoo.inputs import Spec
from zoo.predictor import Predictor, Signature
from zoo.serving.sessions import Sessions

ANY, TEXT = (None,), np.dtype(object)


class Counting(Predictor):
    """Counts bytes, each text's own, and says what it is asked."""

    def __init__(self, units=1):
        self.units, self.asked, self.fails = units, [], False

    @property
    def signatures(self):
        kept = {"state_0": Spec(np.dtype("float32"), (None, self.units))}
        inputs = {"text": Spec(TEXT, ANY), "last": Spec(np.dtype(bool), ANY), **kept}
        outputs = {"count": Spec(np.dtype("float32"), ANY), **kept}
        return {"stream": Signature(inputs, outputs)}

    @property
    def _place(self):
        return "counting"

    def _run(self, signature, inputs):
        self.asked.append(len(inputs["text"]))
        if self.fails:
            raise ValueError("fails")
        count = inputs["state_0"] + [[len(text)] for text in inputs["text"]]
        return {"count": count[:, 0], "state_0": count.astype(np.float32)}


def counts(answers):
    return {name: int(answer["count"]) for name, answer in answers.items()}


def test_chunks_of_many_texts_are_one_question():
    model = Counting()
    sessions = Sessions(model)
    assert counts(sessions.send({"a": "12", "b": "1"})) == {"a": 2, "b": 1}
    assert counts(sessions.send({"c": "", "b": b"\xff"})) == {"c": 0, "b": 2}
    assert sessions.send({}) == {}
    assert counts(sessions.end(["b", "new"])) == {"b": 2, "new": 0}
    assert model.asked == [2, 2, 2]
    assert (list(sessions), len(sessions), "b" in sessions) == (["a", "c"], 2, False)
    assert counts(sessions.send({"b": "1", "a": "1"})) == {"b": 1, "a": 3}


def test_texts_of_which_nothing_comes_are_forgotten():
    now = [0.0]
    sessions = Sessions(Counting(), timeout=10, clock=lambda: now[0])
    sessions.send({"a": "1", "b": "1"})
    now[0] = 9.0
    sessions.send({"b": "1"})
    now[0] = 11.0
    assert counts(sessions.send({"b": "1"})) == {"b": 3}
    assert list(sessions) == ["b"]
    assert counts(sessions.send({"a": "1"})) == {"a": 1}
    now[0] = 99.0
    sessions.forget_idle()
    assert len(sessions) == 0


def test_what_fails_changes_nothing():
    model = Counting()
    sessions = Sessions(model)
    sessions.send({"a": "1"})
    model.fails = True
    with pytest.raises(ValueError, match="fails"):
        sessions.send({"a": "1", "b": "1"}, last=True)
    model.fails = False
    assert list(sessions) == ["a"]
    assert counts(sessions.send({"a": "1"})) == {"a": 2}


def test_a_thousand_texts_of_128_units_take_less_than_2_mb():
    sessions = Sessions(Counting(2 * 128))
    sessions.send(dict.fromkeys(range(1000), "a"))
    rows = sessions.nbytes
    assert rows < 2 * 2**20
    for name in range(1000):
        sessions.forget(name)
    sessions.send(dict.fromkeys(range(1000, 2000), "a"))
    assert sessions.nbytes == rows


@pytest.mark.parametrize("timeout", [0, "x"])
def test_a_timeout_that_is_none(timeout):
    with pytest.raises(ValueError, match="timeout > 0"):
        Sessions(Counting(), timeout=timeout)


def test_one_name_and_one_text_are_not_several():
    sessions = Sessions(Counting())
    sessions.send({"line 1": "1"})
    with pytest.raises(ValueError, match=r"expected names, such as \['line 1'\]"):
        sessions.end("line 1")
    with pytest.raises(ValueError, match="expected chunks of texts by their names"):
        sessions.send("line 1")
    assert list(sessions) == ["line 1"]


def test_a_server_keeps_nothing(local, address):
    import zoo

    text = "the cat é\nTeddy smiled.".encode()
    with zoo.connect(address, "language") as client:
        here, there = local("language").sessions(), client.sessions()
        for sessions in (here, there):
            sessions.send({"other": "The cat "})
        for i in range(0, len(text), 2):  # in the middle of a character too
            chunks = {"text": text[i : i + 2], i: "smiled. "}
            expected, found = here.send(chunks), there.send(chunks)
        expected, found = (sessions.end(["text", "other"]) for sessions in (here, there))
        assert found.keys() == expected.keys()
        for name, answer in expected.items():
            assert found[name]["tokens"].tolist() == answer["tokens"].tolist()
            assert found[name]["token_count"] == answer["token_count"]
            np.testing.assert_allclose(
                found[name]["log_probability"], answer["log_probability"], rtol=1e-6
            )
        total = local("language")(text)["log_probability"]
        np.testing.assert_allclose(found["text"]["log_probability"], total[0], rtol=1e-5)
    with (
        zoo.connect(address, "tagger") as client,
        pytest.raises(ValueError, match="expected a model of one direction"),
    ):
        client.session()
