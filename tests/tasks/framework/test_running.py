"""Programs around what they do: stopping, and which task the benchmark of models is for."""

import os
import signal

import pytest
from programs import program

from tasks.framework import running
from zoo.saving import versions


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_alarm_ends_with_the_program_that_dropped_its_interrupt(number):
    """The interrupt comes again until the program ends, and not afterwards."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    with running._stoppable():
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except KeyboardInterrupt as stop:
            assert stop.args == (number,)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert {n: signal.getsignal(n) for n in before} == before


def test_an_alarm_of_somebody_else_stays():
    def theirs(*_):
        pass

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        signal.setitimer(signal.ITIMER_REAL, 60)
        with running._stoppable():
            pass
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getsignal(signal.SIGALRM) is theirs
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("ner", ["--model=ner_demo", "--text=Anna lives."]),
        ("lm", ["--prompt=The"]),
        ("sentiment", ["--epochs=1", "--input_file=a.txt"]),
        ("translate", ["--output_file=a.jsonl"]),
    ],
)
def test_who_asks_a_model_does_not_train_another(name, flags, tmp_path):
    before = sorted(versions.home().glob("*"))
    run = program(name, *flags, check=False)
    flag = flags[-1].partition("=")[0] if name != "ner" else "--model"
    assert run.returncode == 1
    assert run.stderr.startswith(f"{name}: {flag} goes with a --mode that asks a trained model")
    assert run.stdout == "" and sorted(versions.home().glob("*")) == before


@pytest.mark.parametrize("flags", [["--task=lm"], ["--task", "lm"], ["-task", "lm"]])
def test_the_benchmark_of_models_has_the_flags_of_its_task(flags):
    assert "--window" in program("benchmark_models", *flags, "--help").stdout
    assert "--window" not in program("benchmark_models", "--help").stdout
    run = program("benchmark_models", *flags, "--window=1", check=False)
    assert run.stderr == "benchmark_models: --window: expected 2 or more. Received: 1\n"
