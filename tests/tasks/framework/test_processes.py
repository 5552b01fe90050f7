"""Processes that work side by side: what they give, and that none is left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from programs import environment

from tasks.data.errors import UserError
from tasks.framework import processes

SCRIPT = """
import os, sys, time
from tasks.framework import processes

def work(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

if __name__ == "__main__":
    processes.each(work, [sys.argv[1]] * 2, processes=2, done=print)
"""


def seen(number):
    import tensorflow as tf

    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return os.getpid(), threads, 1 / number


@pytest.mark.slow
def test_work_is_done_elsewhere_on_one_core_each_and_mistakes_come_back():
    found = []
    with pytest.raises(ZeroDivisionError):
        processes.each(seen, [1, 2, 4, 0], 2, found.append)
    assert os.getpid() not in {pid for pid, _, _ in found}
    assert {threads for _, threads, _ in found} == {1}
    assert {quotient for _, _, quotient in found} <= {1, 0.5, 0.25} and found


@pytest.mark.slow
def test_the_end_of_a_process_is_a_line():
    with pytest.raises(UserError, match=r"Start again with fewer: --processes=1"):
        processes.each(os._exit, [3], 2, print)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_there(pid):
    """Whether a process runs; one that has ended may still wait for its parent to notice."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_whatever_ends_a_program_ends_those_that_it_started(stop, tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    folder.mkdir()
    root = str(pathlib.Path(processes.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, script, folder],
        env={**environment(), "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # What runs behind a shell inherits that Ctrl-C is not for it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as parent:
        wait_for(lambda: len(list(folder.iterdir())) == 2)
        pids = [int(path.name) for path in folder.iterdir()]
        assert all(map(is_there, pids)) and parent.pid not in pids
        parent.send_signal(stop)
        parent.communicate(timeout=60)
        wait_for(lambda: not any(map(is_there, pids)))
