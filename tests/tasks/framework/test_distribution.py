"""Training on several devices and machines, as processes on this one."""

import contextlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import together
from ports import free_ports
from programs import ROOT, command, environment

from tasks.data.batching import Part
from tasks.data.errors import UserError
from tasks.framework import checkpoints, cluster, distribution, stages

ENVIRONMENT = {**environment(), "PYTHONPATH": str(ROOT)}


# Of the workers that were started last.
PORTS = []


def config_of(number, ports):
    addresses = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": number}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def start(words, count, **options):
    """So many workers of a program, each with its own TF_CONFIG."""
    PORTS[:] = free_ports(count)
    return [
        subprocess.Popen(
            words, **pipes(), **{"cwd": ROOT, **options},
            env={**ENVIRONMENT, "TF_CONFIG": config_of(number, PORTS)},
        )
        for number in range(count)
    ]  # fmt: skip


def said(processes, seconds=60):
    """(code, standard output, errors) of each process, which end in time."""
    deadline, found = time.monotonic() + seconds, []
    try:
        for one in processes:
            found.append((one, *one.communicate(timeout=deadline - time.monotonic())))
    finally:
        for one in processes:
            one.kill()
    return [(one.returncode, out, error) for one, out, error in found]


# --- The same as on one device -------------------------------------------------------------------


def trained_together(folder, names, workers):
    words = [sys.executable, together.__file__, str(folder), *names]
    if workers:
        processes = start(words, workers)
    else:
        processes = [subprocess.Popen(words, env=ENVIRONMENT, cwd=ROOT, **pipes())]
    found = said(processes, 600)
    for code, _, error in found:
        assert code == 0, error
    assert found[0][1].splitlines()[-1] == f"{workers or 2} replicas"
    # The others say nothing.
    assert [(out, error) for _, out, error in found[1:]] == [("", "")] * (len(found) - 1)


def pipes():
    return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The checkpoints of one device, in one go."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: weights(together.train(distribution.ALONE, folder, name), folder / name)
            for name in together.CASES}  # fmt: skip


def weights(model, folder):
    """The losses and all variables of a run, but for the rows that each replica carries."""
    with np.load(folder / stages.CHECKPOINT) as arrays:
        names = [v.name for v in [*model.variables, *model.optimizer.variables]]
        values = [arrays[str(i)] for i in range(len(names))]
        history = json.loads(str(arrays["history"]))
    kept = [v for n, v in zip(names, values, strict=True) if not n.startswith("carried")]
    return names, [row["loss"] for row in history], kept


def checkpoint(folder):
    """The losses of what drops."""
    with np.load(folder / "dropping" / stages.CHECKPOINT) as arrays:
        return [row["loss"] for row in json.loads(str(arrays["history"]))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "names"),
    [
        (0, ["music", "predictor"]),
        (2, ["tagger", "language", "dropping"]),
        (4, ["classifier"]),
    ],
)
def test_replicas_do_what_one_device_does(workers, names, alone, tmp_path):
    """Losses, weights, what optimizers keep and averages, though some were stopped and resumed."""
    trained_together(tmp_path, names, workers)
    if "dropping" in names:
        # Each replica goes on with random numbers of its own where it was stopped.
        one, other = (checkpoint(path) for path in (tmp_path, tmp_path / "in one go"))
        np.testing.assert_allclose(one, other, rtol=1e-9)
        assert one != alone["classifier"][1]
    for name in together.CASES.keys() & names:
        variables, losses, values = alone[name]
        exact = 1e-9 if name != "music" else 1e-3
        with np.load(tmp_path / name / stages.CHECKPOINT) as arrays:
            history = json.loads(str(arrays["history"]))
            found = [arrays[str(i)] for i, n in enumerate(variables) if "carried" not in n]
        np.testing.assert_allclose([row["loss"] for row in history], losses, rtol=exact)
        for one, value in zip(found, values, strict=True):
            np.testing.assert_allclose(one, value, rtol=exact, atol=exact * 1e-2)


# --- Workers that are lost -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    path = tmp_path_factory.mktemp("reviews") / "train.tsv"
    rows = [f"{word} film\t{label}" for word, label in (("good", "pos"), ("bad", "neg"))]
    path.write_text("text\tlabel\n" + "\n".join(rows * 20))
    return path


def flags_of(path, folder, epochs):
    return [
        "--data=files", f"--train_file={path}", f"--valid_file={path}", f"--model_dir={folder}",
        f"--export_dir={folder}-exported", f"--epochs={epochs}", "--units=2", "--embedding_dim=2",
        "--min_count=1", "--batch_size=4", "--patience=100000", "--nojit",
        "--cell=none",
    ]  # fmt: skip


def epochs_in(folder):
    path = folder / stages.CHECKPOINT
    if not path.exists():
        return 0
    with np.load(path) as arrays:
        return len(json.loads(str(arrays["history"])))


def until(reached, processes, seconds=120):
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        assert all(one.poll() is None for one in processes), said(processes, 5)
        time.sleep(0.05)


@pytest.mark.slow
def test_whoever_is_lost_the_others_end_and_the_same_commands_go_on(reviews, tmp_path):
    folder = tmp_path / "run"

    def go_on(*more, epochs=100_000):
        known = epochs_in(folder)
        flags = [*flags_of(reviews, folder, epochs), "--distribute=multi_worker", *more]
        processes = start(command("sentiment", *flags), 2, cwd=tmp_path)
        if epochs == 100_000:
            until(lambda: epochs_in(folder) > known, processes)
        return processes

    for lost in (0, 1):
        processes = go_on()
        processes[lost].kill()
        code, out, error = said(processes, 60)[1 - lost]
        assert code == 1
        name = ("worker 0, the chief", "worker 1")[lost]
        gone = f"{name} (127.0.0.1:{PORTS[lost]}) is gone (its connection is closed)"
        assert error == f"sentiment: {gone}; the same commands resume the run.\n"
        assert ("Resuming after epoch " in out) == (lost == 1)

    # To its end: only the chief writes and says something, and all learn what its teacher says.
    folder = tmp_path / "another"
    taught = ["--self_training", "--teacher_epochs=1", f"--pretrain_file={reviews}"]
    (chief, others) = said(go_on(*taught, epochs=1), 180)
    assert chief[0] == 0, chief[2]
    assert "Saved: " in chief[1]
    assert others == (0, "", "")
    results = json.loads((folder / "results.json").read_text())
    assert results["machine"]["workers"] == results["machine"]["replicas"] == 2
    assert results["counts"]["unlabelled"] == {"texts": 40, "words": 80}
    assert (folder / "teacher" / "answers.npz").exists()
    assert not (tmp_path / "saved_models").exists()


def test_workers_that_train_other_things_are_told():
    class Peers:
        cluster = cluster.Cluster(("worker 0", "worker 1"), ("a:1", "b:1"), 1)

        def share(self, value):
            theirs = {"units": 3, "seed": 0, "task": "ner", "train_file": "a", "newer": 5}
            return json.dumps([theirs, read]).encode()

    team, read = distribution.Team(None, Peers()), {"corpus (train)": "1", "vocabulary.txt": "2"}
    said = {"units": 3, "seed": 0, "task": "ner", "train_file": "b"}
    team.agree(said, read, {"newer": 5})
    for other, of_read, expected in (
        ({"units": 4}, {}, r"--units=3 at worker 0, the chief \(a:1\), 4 at worker 1 \(b:1\)$"),
        ({"task": "pos"}, {}, "Received: task='ner' at worker 0"),
        ({"newer": 6}, {}, "--newer=5 at worker 0"),
        ({}, {"vocabulary.txt": "3"}, r"Received: another vocabulary.txt at worker 1 \(b:1\)$"),
        ({}, {"more.txt": "3"}, r"Received: another more.txt at worker 1 \(b:1\)$"),
        ({"units": 4}, {"more.txt": "3"}, r"Received: --units=3 at worker 0.* 4 at .* \(b:1\)$"),
    ):
        with pytest.raises(UserError, match=expected):
            team.agree({**said, **other}, {**read, **of_read}, {"newer": 5})
    with pytest.raises(UserError, match=r"Received: another vocabulary\.txt at worker 1"):
        team.agree(said, {"corpus (train)": "1"}, {"newer": 5})


def test_what_a_run_reads_is_known_by_its_folder(tmp_path):
    checkpoints.claim(str(tmp_path), {"units": 3}, {"train": "1", "validation": "2"})
    checkpoints.keep_lines(str(tmp_path), "vocabulary.txt", ["a"])
    options, read = checkpoints.what_is_read(str(tmp_path))
    assert options == {"units": 3}
    assert [*read] == ["corpus (train)", "corpus (validation)", "vocabulary.txt"]
    checkpoints.files.write_text(tmp_path / "vocabulary.txt", "b\n")
    _, other = checkpoints.what_is_read(str(tmp_path))
    assert read.pop("vocabulary.txt") != other.pop("vocabulary.txt")
    assert read == other


def test_a_stop_in_the_middle_of_an_error_is_a_stop():
    """What TensorFlow raises where Ctrl-C comes while it makes an error of its own."""

    class Peers:
        cluster = cluster.Cluster(("worker 0",), ("a:1",), 0)
        cleanup = contextlib.ExitStack()

        def close(self, *fault, **how):
            closed.append((fault, how))

    closed: list = []
    mismatch = "MISMATCH: ORIGINAL UnavailableError REPLACED BY KeyboardInterrupt: 15"
    for message, error, said in (
        (mismatch, KeyboardInterrupt, (("worker 0, the chief (a:1) was stopped",), {"lost": True})),
        ("else", RuntimeError, (("worker 0, the chief (a:1) ended: RuntimeError",), {})),
    ):
        with pytest.raises(error), distribution._parting(Peers()):
            raise RuntimeError(message)
        assert closed[-2:] == [said, ((), {})]


def test_a_batch_that_cannot_be_cut_is_an_error():
    class Strategy:
        num_replicas_in_sync = 3

    with pytest.raises(UserError, match="expected a multiple of 3, the number of replicas"):
        distribution.Team(Strategy()).part(8)


def test_only_rows_of_its_own_are_made():
    """All parts of a batch together are the batch, also where it lacks rows."""
    rows = list(range(7))
    parts = [Part(8, number, 4) for number in range(4)]
    assert [part.rows for part in parts] == [2] * 4
    assert [row for part in parts for row in part.of_rows(rows)] == rows
