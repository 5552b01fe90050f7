"""What TensorFlow Serving is started with."""

import http.server
import json
import pathlib
import re
import subprocess
import threading
import urllib.parse

import pytest
from server_files import batching_of, compose_of, flags_of, models_of

from zoo.catalog.entries import ENTRIES
from zoo.saving.versions import home
from zoo.serving import configuration as serving
from zoo.serving.compose import health_check
from zoo.serving.options import ServerConfig

ROOT = pathlib.Path(__file__).parents[3]
NAMES = ["ner", 'odd "name" $HOME 100%', "sentiment"]


def add(folder, name, *versions):
    for version in versions:
        (folder / name / version).mkdir(parents=True)
        (folder / name / version / "saved_model.pb").touch()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "saved_models"
    for name, version in zip(NAMES, ("1", "3", "12"), strict=True):
        add(folder, name, version)
    add(folder, "ner", "2")
    add(folder, "ner_demo", "1")
    (folder / "no_model").mkdir()
    return folder


def texts(folder, **options):
    """The files by name, of a folder elsewhere."""
    options = {"output": folder.parent / "serving", **options}
    return {path.name: text for path, text in serving.file_texts(folder, **options).items()}


# --- Which models --------------------------------------------------------------------------------


def test_every_model_of_a_folder_is_served_but_demos(folder, tmp_path):
    paths = serving.write_config(folder, tmp_path)
    written = ["models.config", "batching.config", "monitoring.config"]
    assert paths == [*(folder / name for name in written), tmp_path / "compose.yaml"]
    models = models_of((folder / "models.config").read_text())
    assert [model.name for model in models] == NAMES
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        assert model.model_version_policy.latest.num_versions == 1


def test_models_that_are_asked_for(folder, tmp_path):
    def names(where=folder, **options):
        return [model.name for model in models_of(texts(where, **options)["models.config"])]

    assert names(models=["sentiment", "ner_demo"]) == ["ner_demo", "sentiment"]
    assert names(models=["sentiment"], versions=["ner=2"]) == ["ner", "sentiment"]
    assert names(versions=["ner_demo=1"]) == sorted([*NAMES, "ner_demo"])
    add(tmp_path / "demos", "lm_demo", "1")
    assert names(tmp_path / "demos") == ["lm_demo"]


def test_of_the_zoos_own_folder_only_its_models_are_served(folder, monkeypatch):
    monkeypatch.setattr("zoo.serving.served.home", lambda: folder)
    add(folder, "ner_wikiann", "1")
    add(folder, "sentiment_imdb", "1")
    found = [model.name for model in models_of(texts(folder)["models.config"])]
    assert found == ["ner_wikiann", "sentiment_imdb"]
    found = models_of(texts(folder, models=["ner"])["models.config"])
    assert [model.name for model in found] == ["ner"]


def test_versions_and_labels(folder):
    text = texts(folder, versions=["ner=stable:1,canary:2", "sentiment=12"])["models.config"]
    ner, odd, sentiment = models_of(text)
    assert list(ner.model_version_policy.specific.versions) == [1, 2]
    assert dict(ner.version_labels) == {"stable": 1, "canary": 2}
    assert odd.model_version_policy.latest.num_versions == 1
    assert list(sentiment.model_version_policy.specific.versions) == [12]
    assert not sentiment.version_labels
    text = texts(folder, versions=["ner=a:2,b:2,1"])["models.config"]
    assert dict(models_of(text)[0].version_labels) == {"a": 2, "b": 2}
    assert list(models_of(text)[0].model_version_policy.specific.versions) == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"models": ["nerr"]},
            r"expected models of this folder, such as \['ner'.*'nerr'.*--folder",
        ),
        ({"versions": ["nerr=1"]}, "expected models of this folder"),
        (
            {"versions": ["ner=3"]},
            r"ner: expected versions that are there, \[1, 2\].*\[3\]. Export",
        ),
        ({"versions": ["ner"]}, "such as ner=2 or ner=stable:1,canary:2.*Received: 'ner'"),
        ({"versions": ["ner="]}, "Received: 'ner='"),
        ({"versions": ["ner=stable"]}, "Received: 'ner=stable'"),
        ({"versions": ["ner=a b:1"]}, "Received: 'ner=a b:1'"),
        ({"versions": ["ner=a:1,a:2"]}, "each label once. Received: 'ner=a:1,a:2'"),
    ],
)
def test_models_and_versions_that_are_refused(folder, options, message):
    with pytest.raises(ValueError, match=message):
        texts(folder, **options)


def test_a_folder_without_models_is_an_error(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match="expected a folder with at least one model"):
            serving.write_config(folder, tmp_path)
    assert not list(tmp_path.iterdir())


# --- The files -----------------------------------------------------------------------------------


def test_batching_and_monitoring(folder):
    written = texts(folder)
    batching = batching_of(written["batching.config"])
    assert batching == {
        "max_batch_size": 256,
        "batch_timeout_micros": 1000,
        "num_batch_threads": 2,
        "max_enqueued_batches": 100,
        "pad_variable_length_inputs": True,
    }
    monitoring = re.sub(r"#.*\n|\s+", "", written["monitoring.config"])
    assert monitoring == 'prometheus_config{enable:truepath:"/monitoring/prometheus/metrics"}'


def test_compose_starts_the_server_with_the_files(folder, tmp_path):
    serving.write_config(folder, tmp_path)
    text = (tmp_path / "compose.yaml").read_text()
    lists, values = compose_of(text)
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", values["image"])
    assert lists["volumes"] == ['"./saved_models:/models:ro"']
    assert lists["ports"] == ['"8500:8500"', '"8501:8501"']
    assert (values["cpus"], values["mem_limit"]) == ("2", "4g")
    flags = flags_of(text)
    for name in ("model_config", "batching_parameters", "monitoring_config"):
        path = pathlib.PurePosixPath(flags.pop(f"{name}_file"))
        assert (folder / path.relative_to("/models")).is_file()
    assert flags == {
        "enable_batching": "true",
        "model_config_file_poll_wait_seconds": "30",
        "allow_version_labels_for_unavailable_models": "true",
        "tensorflow_intra_op_parallelism": "2",
        "tensorflow_inter_op_parallelism": "2",
    }
    command = json.loads(values["test"].replace("$$", "$"))
    assert command == ["CMD", "bash", "-c", health_check("/models/models.config")]


def test_options(folder):
    config = ServerConfig(
        image="registry.local:5000/serving@sha256:0a",
        grpc_port=9500,
        rest_port=9501,
        cpus=7.5,
        memory="512m",
        max_batch_size=64,
        poll_seconds=5,
    )
    written = texts(folder, config=config)
    batching = batching_of(written["batching.config"])
    assert (batching["num_batch_threads"], batching["max_batch_size"]) == (8, 64)
    lists, values = compose_of(written["compose.yaml"])
    assert lists["ports"] == ['"9500:8500"', '"9501:8501"']
    assert (values["cpus"], values["mem_limit"]) == ("7.5", "512m")
    assert values["image"] == config.image
    flags = flags_of(written["compose.yaml"])
    assert flags["tensorflow_intra_op_parallelism"] == "8"
    assert flags["model_config_file_poll_wait_seconds"] == "5"


def test_no_limits(folder):
    """The server then counts the cores of its machine itself."""
    written = texts(folder, config=ServerConfig(cpus=0, memory="0", poll_seconds=0))
    assert "num_batch_threads" not in batching_of(written["batching.config"])
    values = compose_of(written["compose.yaml"])[1]
    assert "cpus" not in values and "mem_limit" not in values
    assert not {
        name for name in flags_of(written["compose.yaml"]) if "op_par" in name or "poll" in name
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpus": -1}, "cpus: expected 0 or more"),
        ({"cpus": float("inf")}, "cpus: expected a number of cores"),
        ({"memory": "4 GB"}, "memory: expected a number with b, k, m or g"),
        ({"memory": ""}, "memory: expected"),
        ({"image": "a\nprivileged: true"}, "image: expected the name of a Docker image"),
        ({"rest_port": 0}, "rest_port: expected 1 to 65535"),
        ({"rest_port": 8500}, "expected two ports"),
        ({"max_batch_size": 0}, "max_batch_size: expected 1 or more"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ServerConfig(**options)


def test_where_folders_are_mounted(folder, tmp_path):
    def volumes(*places, **options):
        written = serving.file_texts(folder, *places, **options)
        return compose_of([*written.values()][-1])[0]["volumes"]

    assert volumes() == ['"./saved_models:/models:ro"']
    assert volumes(tmp_path / "root" / "inner") == [f'"{folder}:/models:ro"']
    assert volumes(tmp_path / "root") == ['"../saved_models:/models:ro"']
    config = '".:/config:ro"'
    assert volumes(output=tmp_path / "serving") == ['"../saved_models:/models:ro"', config]
    assert volumes(output=tmp_path) == ['"./saved_models:/models:ro"', config]
    assert volumes(output=tmp_path / "a" / "b") == [f'"{folder}:/models:ro"', config]


def test_dollars_are_no_variables_of_compose(tmp_path):
    add(tmp_path / "$folder", "ner", "1")
    text = texts(tmp_path / "$folder")["compose.yaml"]
    assert '"../$$folder:/models:ro"' in text
    assert "$" not in text.replace("$$", "")


def test_writing_again_changes_nothing(folder, tmp_path):
    options = {"output": tmp_path / "serving", "versions": ["ner=stable:1,canary:2"]}
    paths = serving.write_config(folder, **options)
    assert [path.parent for path in paths] == [tmp_path / "serving"] * 4
    before = [path.read_bytes() for path in paths]
    listing = sorted(tmp_path.rglob("*"))
    assert serving.write_config(folder, **options) == paths
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.rglob("*")) == listing
    assert not [path for path in listing if ".tmp" in path.name]


def test_the_files_of_the_project_are_what_is_written():
    """Whatever a user has saved beside the zoo's models."""
    written = serving.file_texts()
    assert {path.relative_to(ROOT).as_posix() for path in written} == {
        "compose.yaml",
        *(f"saved_models/{name}.config" for name in ("models", "batching", "monitoring")),
    }
    for path, text in written.items():
        assert path.read_text("utf-8") == text, path
    served = {model.name for model in models_of((home() / "models.config").read_text())}
    assert served == {name for name in ENTRIES if not name.endswith("_demo")}


# --- Health --------------------------------------------------------------------------------------


def test_the_server_is_well_when_every_model_answers(folder):
    """In bash, with a server that answers as TensorFlow Serving does."""
    states = dict.fromkeys(NAMES, "AVAILABLE")
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = urllib.parse.unquote(self.path.removeprefix("/v1/models/"))
            asked.append(name)
            old = {"version": "1", "state": "END"}
            status = {"model_version_status": [{"version": "2", "state": states[name]}, old]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(status, indent=1).encode())

        def log_message(self, *_):
            pass

    serving.write_config(folder)
    file = folder / "models.config"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = ["bash", "-c", health_check(str(file), server.server_port)]

        def is_well():
            return subprocess.run(command, timeout=20, capture_output=True).returncode == 0

        assert is_well() and asked == NAMES
        for name in NAMES:
            states[name] = "LOADING"
            assert not is_well()
            states[name] = "AVAILABLE"
        # The file that counts is that of the moment.
        states["sentiment"] = "END"
        serving.write_config(folder, models=NAMES[:2])
        assert is_well()
        file.rename(folder / "elsewhere")
        assert not is_well()
        (folder / "elsewhere").rename(file)
        server.shutdown()
    assert not is_well()  # nobody listens any more
