"""What TF_CONFIG says, and what programs say of it, before TensorFlow is there."""

import json
import re

import pytest
from programs import program, program_process

from tasks.data.errors import UserError
from tasks.framework import cluster

TWO = {"worker": ["a:1", "b:2"]}


def config(workers=TWO, **task):
    return json.dumps({"cluster": workers, "task": {"type": "worker", "index": 0, **task}})


def test_the_chief_comes_first():
    found = cluster.read({"TF_CONFIG": config({"worker": ["b:2", "c:3"], "chief": ["a:1"]})})
    assert found.addresses == ("a:1", "b:2", "c:3")
    assert found.number == 1
    assert found.name(1) == "worker 0 (b:2)"
    assert found.name(0) == "chief 0, the chief (a:1)"
    assert not found.is_chief
    chief = cluster.read({"TF_CONFIG": config({"chief": ["[::1]:1"]}, type="chief")})
    assert chief.is_chief
    assert chief.host_and_port(0) == ("::1", 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "--distribute=multi_worker: expected TF_CONFIG in the environment"),
        (" ", "Received: none"),
        ('{"cluster": ', "expected JSON: Expecting value"),
        ("[]", 'expected an object with "cluster" and "task"'),
        ('{"cluster": {}}', 'expected an object with "cluster" and "task"'),
        (config({}), r"a task of the cluster \(which is empty\), and not worker 0"),
        (config({**TWO, "ps": ["c:3"]}), r"a cluster of chief and worker alone, without \['ps'\]"),
        (config({"worker": "a:1"}), "a list of \"HOST:PORT\" for 'worker'"),
        (config({"worker": ["a"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["a:0"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["a:99999"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["::1:2222"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["http://a:1"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["a :1"]}), 'a list of "HOST:PORT"'),
        (config({"worker": ["a:1", "a:1"]}), "an address of its own for each worker, and not a:1"),
        (config({"chief": ["a:1", "b:1"]}, type="chief"), "expected one chief"),
        (config(index=2), r"a task of the cluster \(worker 0, worker 1\), and not worker 2"),
        (config(index="1"), None),
        (config(type="evaluator"), "and not evaluator 0"),
    ],
)
def test_what_is_wrong_with_it_is_said(given, expected):
    environment = {} if given is None else {"TF_CONFIG": given}
    if expected is None:  # some launchers write the number as a string
        assert cluster.read(environment).number == 1
        return
    with pytest.raises(UserError, match=expected) as error:
        cluster.read(environment)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("flags", "given", "expected"),
    [
        ([], None, "lm: --distribute=multi_worker: expected TF_CONFIG"),
        (["--batch_size=3"], config(), "lm: --batch_size: expected a multiple of 2, the number of"),
        (["--mode=export"], config(), "goes with --mode=train. Received: --mode=export"),
    ],
)
def test_programs_say_so_in_one_line(flags, given, expected, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_CONFIG", given)
    done = program("lm", "--distribute=multi_worker", *flags, check=False)
    assert done.returncode == 1
    assert re.search(re.escape(expected), done.stderr)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_they_do_so_before_tensorflow_is_there():
    done = program_process("lm", "--distribute=multi_worker", check=False, timeout=60, env={
        "PYTHONPROFILEIMPORTTIME": "1", "PATH": "/usr/bin", "PYTHONPATH": "."})  # fmt: skip
    assert done.returncode == 1
    assert "expected TF_CONFIG" in done.stderr
    assert not re.search(r"\| +tensorflow$", done.stderr, re.MULTILINE)
