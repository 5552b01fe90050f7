"""What the benchmark is asked, and the list of programs."""

import inspect

import pytest
import tensorflow as tf

from layers import sampled_softmax
from tasks import __main__ as listing
from tasks import benchmark
from tasks.experiments import layer_speed, model_speed


def test_flags_say_what_is_measured():
    asked = benchmark.parse(
        ["--layers=lstm,rnn", "--sizes=1x2x3x4", "--nopadding", "--seconds=0.5"]
    )
    assert (asked.layers, asked.sizes) == (("lstm", "rnn"), ("1x2x3x4",))
    assert (asked.padding, asked.seconds) == (False, 0.5)
    assert benchmark.parse([]) == benchmark.Asked()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--layers=gru,foo",
            "--layers: expected some of rnn,gru,gru_after,lstm. Received: gru,foo",
        ),
        ("--device=tpu", "--device: expected one of auto, cpu, gpu. Received: 'tpu'"),
        ("--dtypes=int8", "--dtypes: expected some of float32,float64,mixed_float16"),
        ("--parts=speed", "--parts: expected some of train,forward"),
        ("--sizes=3x4", "--sizes: expected BATCHxTIMExINPUTSxUNITS"),
        ("--sizes=3x4x0x1", "--sizes: expected BATCHxTIMExINPUTSxUNITS"),
        ("--seconds=-1", "--seconds: expected 0 or more. Received: -1.0"),
    ],
)
def test_mistakes_are_named(flag, message, capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark.main([flag])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_left_open_suits_the_device():
    asked = benchmark.parse(["--layers=lstm", "--device=gpu"])
    whole = asked.for_device("gpu")
    assert whole.layers == ("lstm",)
    assert whole.dtypes == ("float32", "mixed_float16")
    assert benchmark.Asked().for_device("cpu").seconds == 3


def test_a_gpu_that_is_asked_for_has_to_be_there():
    if layer_speed.on_gpu():
        pytest.skip("there is one")
    with pytest.raises(SystemExit, match="--device=gpu: expected a GPU that TensorFlow sees"):
        benchmark.main(["--device=gpu"])


def test_rows_are_measured_until_the_time_is_over(tmp_path, capsys):
    output = tmp_path / "speed.json"
    size = ["--sizes=1x2x3x4", "--seconds=0", "--nopadding", f"--output={output}"]
    asked = ["--layers=gru_after,lstm", "--parts=forward", "--dtypes=mixed_float16"]
    assert benchmark.main([*size, *asked, "--device=cpu", "--at_most=0"]) == 0
    assert "--at_most=0 seconds are over" in capsys.readouterr().out
    tables = (tmp_path / "speed.md").read_text()
    assert "**forward pass, mixed_float16, ms**" in tables
    assert "| gru_after | 1 × 2 × 3 × 4 |" in tables and "| lstm |" not in tables


def test_the_programs_are_listed(capsys):
    assert listing.main() == 0
    shown = capsys.readouterr().out
    assert "  ner               Named entities: persons" in shown
    assert "framework" not in shown


def test_what_is_served_is_timed_on_the_clock_and_in_processor_time(monkeypatch):
    monkeypatch.setattr(layer_speed, "_SERVED_ROWS", (2,))
    monkeypatch.setattr(layer_speed, "_SERVED_SIZE", (3, 4, 5))
    rows = list(layer_speed.measure_served(["lstm"], [True], 0))
    assert [row["layer"] for row in rows] == ["lstm", "lstm, both directions"]
    for row in rows:
        assert (row["part"], row["size"], row["padded"]) == ("served", "2x3x4x5", True)
        assert row["times_keras"] == row["keras"] / row["ours"]
        assert row["times_keras_cpu"] > 0


def test_the_stock_softmax_takes_what_ours_takes():
    stock, ours = model_speed.stock_softmax, sampled_softmax.summed_sampled_cross_entropy
    assert inspect.signature(stock).parameters == inspect.signature(ours).parameters
    a, w, b = tf.ones([3, 2]), tf.ones([9, 2]), tf.zeros([9])
    some = (tf.constant([1, 2, 8]), tf.ones([3]), tf.constant([0, 4]), "bfloat16")
    assert 0 < float(stock(a, w, b, *some)) < 100
