"""The examples, run as their docstrings say, on small SavedModels."""

import gc
import json
import os
import pty
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import manifests
import pytest
import tensorflow as tf
from programs import script

import zoo
from tasks import ner
from tasks.framework import cluster
from zoo import text
from zoo.configuration import ClassifierConfig, TaggerConfig
from zoo.models import Classifier, Tagger
from zoo.saving import ClassifierModule, TaggerModule, export

# Modules leave the folder of their stored weights to the garbage collector.
EXAMPLES = Path(__file__).parent.parent / "examples"
LINES = ["A wonderful film.", "", "dull plot", 'né 👍 " \\', "one two three four five six seven"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier in two versions and a tagger."""
    folder = tmp_path_factory.mktemp("models")
    save_models(folder)
    # Here, and not in a test of another file, which has other filters.
    gc.collect()
    return folder


def save_models(folder):
    words = text.write_lines(
        str(folder / "words.txt"), [text.UNKNOWN_WORD, "a", "wonderful", "film", "dull", "plot"]
    )
    names = text.write_lines(str(folder / "names.txt"), ["bad", "good"])
    vocabulary = text.Vocabulary(words)
    small = {"vocabulary_size": vocabulary.size + 1, "units": 4, "embedding_dim": 4}
    labels = ("bad", "good")
    classifier = Classifier(ClassifierConfig(labels=labels, max_length=10, **small))
    tagger = Tagger(TaggerConfig(tags=labels, character_dim=4, **small))
    classifier.build()
    tagger.build()
    for name, module in (
        ("reviews", ClassifierModule(classifier, vocabulary, names, "start")),
        ("tags", TaggerModule(tagger, vocabulary, names)),
    ):
        signatures = {"serving_default": module.serving_default}
        export.save(module, signatures, str(folder / name))
    shutil.copytree(folder / "reviews" / "1", folder / "reviews" / "2")


def run(name, *arguments, **options):
    return script(EXAMPLES / f"{name}.py", *arguments, **options)


def run_process(name, *arguments, **options):
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, text=True, **options)


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_plain_tensorflow(folder, tmp_path):
    flags = [f"--model={folder / 'reviews'}", *LINES[:2]]
    said = run_process("plain_tensorflow", *flags, capture_output=True, cwd=tmp_path).stdout
    expected = zoo.load("reviews", folder=folder)(LINES[:2])
    assert said.splitlines()[0] == LINES[0]
    labels = re.findall(r"label: b'(\w+)'", said)
    assert labels == expected["label"].tolist()
    found = [float(number) for number in re.findall(r"probability: ([\d.]+)", said)]
    assert found == pytest.approx(expected["probability"].tolist(), abs=1e-5)


def test_plain_tensorflow_imports_nothing_of_the_project():
    text_ = (EXAMPLES / "plain_tensorflow.py").read_text()
    assert not re.search(r"^(import|from) (zoo|layers|tasks|keras)", text_, re.MULTILINE)


@pytest.mark.parametrize("name", ["reviews", "tags"])
def test_bulk_scoring_answers_as_the_model_does(folder, tmp_path, name):
    (tmp_path / "in.txt").write_text("\n".join(LINES), "utf-8-sig")
    flags = [f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'out.jsonl'}"]
    done = run("bulk_scoring", f"--model={folder / name / '1'}", "--batch_size=2", *flags)
    assert done.stdout == f"{tmp_path / 'out.jsonl'}: {len(LINES)} lines\n"
    rows = lines_of(tmp_path / "out.jsonl")
    assert [row["text"] for row in rows] == LINES
    expected = zoo.load(name, folder=folder)(LINES)
    for index, row in enumerate(rows):
        assert row.keys() == {"text", *expected}
        for key, values in expected.items():
            value = values[index]
            if "lengths" in expected and values.ndim > 1:
                value = value[: expected["lengths"][index]]
            if values.dtype == object:
                assert row[key] == (value if isinstance(value, str) else value.tolist())
            else:
                assert row[key] == pytest.approx(value.tolist(), abs=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.jsonl"]


def test_bulk_scoring_shows_its_progress_on_a_terminal(folder, tmp_path):
    (tmp_path / "in.txt").write_text("good\n" * 5)
    ours, theirs = pty.openpty()
    flags = [f"--model={folder / 'reviews'}", "--input=in.txt", "--output=out.jsonl"]
    done = run_process(
        "bulk_scoring",
        *flags,
        "--batch_size=2",
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "5/5" in said


def test_bulk_scoring_leaves_the_output_as_it_was_when_it_fails(folder, tmp_path):
    (tmp_path / "in.txt").write_text("good\n")
    (tmp_path / "out.jsonl").write_text("before")
    flags = ["--input=in.txt", "--output=out.jsonl", "--batch_size=-1"]
    with pytest.raises(tf.errors.InvalidArgumentError):
        run("bulk_scoring", f"--model={folder / 'reviews'}", *flags, cwd=tmp_path)
    assert (tmp_path / "out.jsonl").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.jsonl"]


def test_a_frozen_layer_has_a_head_that_learns(folder):
    said = run("frozen_layer", f"--model={folder / 'reviews'}", "--epochs=11").stdout
    assert "3 weights are trained" in said
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", said)]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_a_version_that_is_being_written_is_none(tmp_path):
    newest = runpy.run_path(str(EXAMPLES / "finding.py"))["newest"]
    for name in (".tmp-x1", ".tmp-99"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    with pytest.raises(SystemExit, match="expected a SavedModel"):
        newest(str(tmp_path))
    for name in ("2", "10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert newest(str(tmp_path)) == str(tmp_path / "10")


def test_errors_say_what_was_expected(folder):
    unknown = run("plain_tensorflow", "--model=no_such_model", check=False)
    assert unknown.returncode == 1
    assert "expected a SavedModel, or a name in" in unknown.stderr
    tagger = run("frozen_layer", f"--model={folder / 'tags'}", check=False)
    assert tagger.returncode == 1
    assert "expected a classifier" in tagger.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_asks_a_model(folder, tmp_path):
    pytest.importorskip("pyspark")
    pytest.importorskip("pandas")
    rows = [{"id": number, "text": line} for number, line in enumerate([*LINES, None])]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    run_process(
        "spark_udf",
        "--model=sentiment_demo",
        "--input=in.jsonl",
        "--output=out",
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "PYSPARK_PYTHON": sys.executable},
    )
    found = [row for path in tmp_path.glob("out/*.json") for row in lines_of(path)]
    labels = {row["id"]: json.loads(row["answer"])["label"] for row in found}
    assert labels == dict(enumerate(zoo.load("sentiment_demo")(LINES)["label"]))


# --- Several workers -----------------------------------------------------------------------------


def test_the_manifest_is_one_that_kubernetes_knows():
    found = list(manifests.documents((EXAMPLES / "kubernetes.yaml").read_text()))
    for one in found:
        schema = manifests.SCHEMAS[one["apiVersion"], one["kind"]]
        assert manifests.faults(one, schema, one["kind"]) == []
    service, job = (one["spec"] for one in found)
    pod = job["template"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["selector"] == job["template"]["metadata"]["labels"]
    assert pod["subdomain"] == found[0]["metadata"]["name"] == found[1]["metadata"]["name"]
    assert job["completions"] == job["parallelism"] == int(pod["containers"][0]["env"][0]["value"])
    assert [v["name"] for v in pod["volumes"]] == ["runs"]


def test_a_fault_of_a_manifest_is_found():
    schema = manifests.SCHEMAS["batch/v1", "Job"]
    text = (EXAMPLES / "kubernetes.yaml").read_text().split("---\n")[1]
    for right, wrong, fault in (
        ("completions: 2", "completions: two", "Job.spec.completions: expected int: 'two'"),
        ("restartPolicy: OnFailure", "restartPolicy: Always", "restartPolicy: expected one of"),
        ("backoffLimit: 20", "backofLimit: 20", "Job.spec.backofLimit: unknown"),
        ("subdomain: ner", "name: ner", "Job.spec.template.spec.name: unknown"),
        ("- name: worker", "- title: worker", "containers[0].name: missing"),
    ):
        assert right in text
        (job,) = manifests.documents(text.replace(right, wrong))
        assert any(fault in found for found in manifests.faults(job, schema, "Job"))


@pytest.mark.parametrize("index", [0, 1])
def test_a_pod_knows_which_worker_it_is(index, tmp_path):
    """The command of the manifest, with a Python that only shows what it is given."""
    _, job = manifests.documents((EXAMPLES / "kubernetes.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$TF_CONFIG" "$@"')
    (tmp_path / "python").chmod(0o755)
    given = {one["name"]: one["value"] for one in container["env"]}
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [*container["command"], *container["args"]],
        env={"PATH": path, "JOB_COMPLETION_INDEX": str(index), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    config, *words = done.stdout.splitlines()
    found = cluster.read({"TF_CONFIG": config})
    assert found.addresses == ("ner-0.ner:2222", "ner-1.ner:2222")
    assert found.number == index
    assert words[:2] == ["-m", "tasks.ner"]
    config_, run = ner.PROGRAM.parse(words[2:])
    assert config_.training.distribute == "multi_worker"
    assert run.model_dir.startswith(container["volumeMounts"][0]["mountPath"])


def test_the_launcher_gives_each_worker_its_own_number():
    # In one piece, beside those of others.
    words = "[os.environ['TF_CONFIG'], *sys.argv[1:], '\\n']"
    show = f"import os, sys; os.write(1, ' '.join({words}).encode())"
    said = run_process(
        "two_workers", "--workers=3", sys.executable, "-c", show, "x", capture_output=True
    )
    assert said.returncode == 0, said.stderr
    clusters = []
    for line in said.stdout.splitlines():
        config, *words = line.strip().rsplit(" ", 2)
        assert words == ["x", "--distribute=multi_worker"]
        clusters.append(cluster.read({"TF_CONFIG": config}))
    assert sorted(one.number for one in clusters) == [0, 1, 2]
    assert len({one.addresses for one in clusters}) == 1


def test_the_launcher_ends_as_its_workers_do():
    said = run_process("two_workers", sys.executable, "-c", "raise SystemExit(7)")
    assert said.returncode == 7
