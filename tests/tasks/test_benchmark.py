"""What the benchmark is asked, and the list of programs."""

import pytest

from tasks import __main__ as listing
from tasks import benchmark


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
        ("--layers=gru,foo", "--layers: expected some of rnn,gru,lstm. Received: gru,foo"),
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


def test_the_programs_are_listed(capsys):
    assert listing.main() == 0
    shown = capsys.readouterr().out
    assert "  ner               Named entities: persons" in shown
    assert "framework" not in shown
