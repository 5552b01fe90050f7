"""What TensorFlow Serving is started with."""

import http.server
import json
import pathlib
import re
import subprocess
import threading
import urllib.parse

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from zoo.serving import configuration as serving

ROOT = pathlib.Path(__file__).parents[3]
NAMES = ["ner_demo", 'odd "name" $HOME 100%', "sentiment_demo"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "saved_models"
    for name, version in zip(NAMES, ("1", "3", "12"), strict=True):
        (folder / name / version).mkdir(parents=True)
        (folder / name / version / "saved_model.pb").touch()
    (folder / "no_model").mkdir()
    return folder


def models_of(text):
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return list(config.model_config_list.config)


def batching_of(text):
    """The fields of a file of `BatchingParameters`, whose proto no package holds."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"(\w+)(?: \{ value: (\d+) \}|: true)", line) for line in lines]
    assert all(found), lines
    return {match[1]: int(match[2]) if match[2] else True for match in found}


def compose_of(text):
    """The lists under the keys of a compose file, and its single values."""
    lists, values, key = {}, {}, None
    for line in text.splitlines():
        line = re.sub(r"(^|\s)# .*", "", line).strip()
        if line.startswith("- "):
            lists.setdefault(key, []).append(line[2:])
        elif line:
            key, value = line.split(":", 1)
            values[key] = value.strip()
    return lists, values


def test_every_model_of_the_folder_is_served(folder, tmp_path):
    paths = serving.write_config(folder, tmp_path)
    written = ["models.config", "batching.config", "monitoring.config"]
    assert paths == [*(folder / name for name in written), tmp_path / "compose.yaml"]
    models = models_of((folder / "models.config").read_text())
    assert [model.name for model in models] == NAMES
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        assert model.model_version_policy.latest.num_versions == 1


def test_batching_and_monitoring(folder, tmp_path):
    serving.write_config(folder, tmp_path)
    batching = batching_of((folder / "batching.config").read_text())
    assert batching.pop("pad_variable_length_inputs") is True
    assert batching.keys() == {
        "max_batch_size",
        "batch_timeout_micros",
        "num_batch_threads",
        "max_enqueued_batches",
    }
    assert min(batching.values()) > 0
    monitoring = re.sub(r"#.*\n|\s+", "", (folder / "monitoring.config").read_text())
    assert monitoring == 'prometheus_config{enable:truepath:"/monitoring/prometheus/metrics"}'


def test_compose_starts_the_server_with_the_files(folder, tmp_path):
    serving.write_config(folder, tmp_path)
    lists, values = compose_of((tmp_path / "compose.yaml").read_text())
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", values["image"])
    assert lists["volumes"] == ['"./saved_models:/models:ro"']
    assert lists["ports"] == ['"8500:8500"', '"8501:8501"']
    flags = dict(flag.removeprefix("--").split("=") for flag in lists["command"])
    assert flags.pop("enable_batching") == "true"
    assert flags.keys() == {
        "model_config_file",
        "batching_parameters_file",
        "monitoring_config_file",
    }
    for path in flags.values():
        assert (folder / pathlib.PurePosixPath(path).relative_to("/models")).is_file()
    command = json.loads(values["test"])
    assert command == ["CMD", "bash", "-c", serving.health_check(NAMES[0])]


def test_a_folder_elsewhere_is_mounted_by_its_path(folder, tmp_path):
    (tmp_path / "root").mkdir()
    serving.write_config(folder, tmp_path / "root")
    lists, _ = compose_of((tmp_path / "root" / "compose.yaml").read_text())
    assert lists["volumes"] == [f'"{folder}:/models:ro"']


def test_dollars_are_no_variables_of_compose():
    _, values = compose_of(serving.compose(["a"], "./$folder"))
    assert "$" not in values["test"]
    assert '"./$$folder:/models:ro"' in serving.compose(["a"], "./$folder")


def test_writing_again_changes_nothing(folder, tmp_path):
    paths = serving.write_config(folder, tmp_path)
    before = [path.read_bytes() for path in paths]
    listing = sorted(tmp_path.rglob("*"))
    assert serving.write_config(folder, tmp_path) == paths
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.rglob("*")) == listing
    assert not [path for path in listing if ".tmp" in path.name]


def test_a_folder_without_models_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected a folder with at least one model"):
        serving.write_config(tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_the_health_check_asks_the_first_model(name):
    """In bash, with a server that answers as TensorFlow Serving does."""
    states, paths = ["LOADING", "AVAILABLE"], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            status = {"version": "1", "state": states.pop(0)}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"model_version_status": [status]}, indent=1).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = ["bash", "-c", serving.health_check(name, server.server_port)]
        codes = [subprocess.run(command, timeout=20).returncode for _ in range(2)]
        server.shutdown()
    assert codes[0] != 0 and codes[1] == 0
    assert paths == [f"/v1/models/{urllib.parse.quote(name)}"] * 2
    # Nobody listens any more.
    assert subprocess.run(command, timeout=20, capture_output=True).returncode != 0


def test_the_files_of_the_project_are_what_is_generated():
    folder = ROOT / "saved_models"
    if not (folder / serving.MODELS_CONFIG).exists():
        pytest.skip("nothing written yet")
    text = (folder / serving.MODELS_CONFIG).read_text()
    names = [model.name for model in models_of(text)]
    assert text == serving.models_config(names)
    assert (folder / serving.BATCHING_CONFIG).read_text() == serving.batching_config()
    assert (folder / serving.MONITORING_CONFIG).read_text() == serving.monitoring_config()
    assert (ROOT / serving.COMPOSE).read_text() == serving.compose(names)
