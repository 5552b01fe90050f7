"""A server that speaks TensorFlow Serving's protocol over REST and gRPC, for tests.

Each version of a model runs in a process of its own, `stand_in_process`. What is JSON, what is an
error and in which words, is as in `tensorflow_serving/util/json_tensor.cc`,
`servables/tensorflow/predict_util.cc`, `model_servers/server_core.cc`,
`model_servers/get_model_status_impl.cc` and TensorFlow's `shared_batch_scheduler.h`.

    with serve({"ner_demo": "saved_models/ner_demo"}) as (rest, grpc):
        ...
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading
import urllib.parse
from concurrent import futures

import numpy as np
import stand_in_process
from stand_in_json import INVALID, fill_request, json_of
from stand_in_process import StatusError

# grpc.StatusCode, whose numbers are TensorFlow's, in HTTP.
CODES = {3: ("INVALID_ARGUMENT", 400), 5: ("NOT_FOUND", 404), 9: ("FAILED_PRECONDITION", 400)}
CODES |= {11: ("OUT_OF_RANGE", 400), 12: ("UNIMPLEMENTED", 501), 14: ("UNAVAILABLE", 503)}
NOT_FOUND, FAILED_PRECONDITION = 5, 9


def merged(*inputs):
    """Requests as one batch, each padded with its first element, as in `batching_util.cc`."""
    width = max((rows.shape[1] for rows in inputs if rows.ndim == 2), default=0)
    padded = [
        np.pad(rows, [[0, 0], [0, width - rows.shape[1]]], constant_values=rows.flat[0])
        if rows.ndim == 2 and rows.shape[1] < width
        else rows
        for rows in inputs
    ]
    return np.concatenate(padded)


class Version:
    """A loaded version, its warm-up requests replayed.

    Attributes:
        warmed: how many they were.
        company: feeds of another client's request, which a server that batches runs in the same
            batch, by signature.
        max_batch_size: of a server that batches.
    """

    def __init__(self, name, number, folder):
        import tensorflow as tf
        from programs import graph_of

        self.name, self.number, self.company, self.max_batch_size = name, number, {}, None
        self.signatures = graph_of(folder).signature_def
        self._lock = threading.Lock()
        library = os.path.join(os.path.dirname(tf.__file__), "libtensorflow_cc.so.2")
        command = [sys.executable, stand_in_process.__file__, library, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._get()
            self.warmed = self._warm_up(pathlib.Path(folder))
        except BaseException:
            self.close()
            raise

    def predict(self, request):
        """A PredictResponse for a PredictRequest."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        name = request.model_spec.signature_name or "serving_default"
        if name not in self.signatures:
            raise StatusError(FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        signature = self.signatures[name]
        sent, expected = {*request.inputs}, {*signature.inputs}
        if len(sent) != len(expected):
            shown = [",".join(sorted(names)) for names in (sent, expected)]
            shown += [",".join(sorted(names)) for names in (sent - expected, expected - sent)]
            raise StatusError(
                INVALID,
                f"input size does not match signature: {len(sent)}!={len(expected)} "
                "len({%s}) != len({%s}). Sent extra: {%s}. Missing but required: {%s}."
                % tuple(shown),
            )
        for alias in sorted(sent - expected):
            known = ",".join(sorted(expected))
            raise StatusError(
                INVALID,
                f"input tensor alias not found in signature: {alias}. "
                f"Inputs expected to be in the set {{{known}}}.",
            )
        feeds = {signature.inputs[k].name: tf.make_ndarray(v) for k, v in request.inputs.items()}
        aliases = sorted(request.output_filter or signature.outputs)
        rows = self._batch_size(feeds.values())
        for key, more in self.company.get(name, {}).items():
            tensor = signature.inputs[key].name
            feeds[tensor] = merged(feeds[tensor], more)
        arrays = self._ask(feeds, [signature.outputs[alias].name for alias in aliases])
        arrays = [array[:rows] for array in arrays]
        response = predict_pb2.PredictResponse(model_spec=self.spec(name))
        for alias, array in zip(aliases, arrays, strict=True):
            dtype = signature.outputs[alias].dtype
            proto = tf.make_tensor_proto(array, dtype, array.shape)
            response.outputs[alias].CopyFrom(proto)
        return response

    def _batch_size(self, feeds):
        """Rows of a request; a server that batches takes only what has them, and not too many."""
        sizes = {feed.shape[0] if feed.ndim else None for feed in feeds}
        if self.max_batch_size is None:
            return next(iter(sizes), None)
        if not sizes:
            raise StatusError(INVALID, "Batching Run() must have at least one input tensor")
        if None in sizes:
            message = "Batching Run() input tensors must have at least one dimension"
            raise StatusError(INVALID, message)
        if len(sizes) > 1:
            message = "Batching Run() input tensors must have equal 0th-dimension size"
            raise StatusError(INVALID, message)
        (size,) = sizes
        if size > self.max_batch_size:
            message = f"Task size {size} is larger than maximum input batch size"
            raise StatusError(INVALID, f"{message} {self.max_batch_size}")
        return size

    def spec(self, signature=""):
        from tensorflow_serving.apis import model_pb2

        spec = model_pb2.ModelSpec(name=self.name, signature_name=signature)
        spec.version.value = self.number
        return spec

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def _ask(self, feeds, fetches):
        with self._lock:
            pickle.dump((feeds, fetches), self._process.stdin)
            self._process.stdin.flush()
            return self._get()

    def _get(self):
        try:
            arrays, error = pickle.load(self._process.stdout)
        except EOFError:
            raise StatusError(13, f"the process of {self.name} ended") from None
        if error:
            raise StatusError(*error)
        return arrays

    def _warm_up(self, folder):
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        path = folder / "assets.extra" / "tf_serving_warmup_requests"
        if not path.exists():
            return 0
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
        if len(records) > 1000:
            raise StatusError(INVALID, "Number of warmup records exceeds the maximum (1000)")
        for record in records:
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                raise StatusError(12, f"Unsupported log_type for warmup: {log}")
            self.predict(log.predict_log.request)
        return len(records)


class Models:
    """Loaded models.

    Args:
        config: the text of a models.config, or a dict of base folders by name, of which the newest
            version is served.
        root: folder to which the base paths of a models.config are relative, even absolute ones:
            what a container has at `/`.
        max_batch_size: of a server that batches.
        allow_version_labels_for_unavailable_models: the server's flag.

    Attributes:
        versions: that are loaded, by name and number.
        states: (name, error code, message) of all versions that there ever were, by name and
            number; what a test writes there is what the server says and does.
    """

    def __init__(
        self,
        config,
        root=None,
        max_batch_size=None,
        allow_version_labels_for_unavailable_models=False,
    ):
        self.versions, self.states, self.labels = {}, {}, {}
        self._root, self._max_batch_size = root, max_batch_size
        self._early_labels = allow_version_labels_for_unavailable_models
        if not isinstance(config, str):
            config = "".join(
                f"config {{ name: {json.dumps(name)} base_path: {json.dumps(str(base))} "
                'model_platform: "tensorflow" }'
                for name, base in config.items()
            )
            config = f"model_config_list {{ {config} }}"
        try:
            self.reload(config)
        except BaseException:
            self.close()
            raise

    def reload(self, config):
        """Takes a models.config: first its labels, and only where these are allowed its models."""
        models = self._parsed(config)
        self.labels = self._assigned(models)
        for name in self.versions.keys() - {model.name for model in models}:
            self._serve(name, None, [])
        for model in models:
            base = pathlib.Path(model.base_path)
            if self._root is not None:
                base = pathlib.Path(self._root) / str(base).lstrip("/")
            self._serve(model.name, base, self._chosen(base, model.model_version_policy))

    def _assigned(self, models):
        """Labels by name. One that is there moves only to a version that is AVAILABLE."""
        for model in models:
            for label, number in model.version_labels.items():
                before = self.labels.get(model.name, {}).get(label, number)
                early = self._early_labels and before == number
                if not early and not self._is_available(model.name, number):
                    raise StatusError(
                        FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {model.name}, which "
                        "is not currently available for inference",
                    )
        return {model.name: dict(model.version_labels) for model in models}

    def _serve(self, name, base, numbers):
        versions, states = self.versions.setdefault(name, {}), self.states.setdefault(name, {})
        for number in versions.keys() - {*numbers}:
            versions.pop(number).close()
            states[number] = ("END", 0, "")
        for number in numbers:
            if number not in versions:
                versions[number] = Version(name, number, base / str(number))
                versions[number].max_batch_size = self._max_batch_size
                states[number] = ("AVAILABLE", 0, "")

    def _is_available(self, name, number):
        return self.states.get(name, {}).get(number, ("",))[0] == "AVAILABLE"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for versions in self.versions.values():
            for version in versions.values():
                version.close()

    def find(self, spec):
        """The version that a ModelSpec means."""
        known, which = self.versions.get(spec.name, {}), spec.WhichOneof("version_choice")
        available = [number for number in known if self._is_available(spec.name, number)]
        number = spec.version.value if which == "version" else max(available, default=None)
        if which == "version_label":
            if spec.version_label not in self.labels.get(spec.name, {}):
                message = f"Unrecognized servable version label: {spec.version_label}"
                raise StatusError(INVALID, message)
            number = self.labels[spec.name][spec.version_label]
        if number not in available:
            request = f"Specific({spec.name}, {number})" if which else f"Latest({spec.name})"
            raise StatusError(NOT_FOUND, f"Servable not found for request: {request}")
        return known[number]

    def predict(self, request):
        return self.find(request.model_spec).predict(request)

    def metadata(self, request):
        """A GetModelMetadataResponse."""
        from tensorflow_serving.apis import get_model_metadata_pb2 as pb2

        version = self.find(request.model_spec)
        if [*request.metadata_field] != ["signature_def"]:
            message = f"Metadata field {request.metadata_field} is not supported"
            raise StatusError(INVALID, message)
        response = pb2.GetModelMetadataResponse(model_spec=version.spec())
        response.metadata["signature_def"].Pack(
            pb2.SignatureDefMap(signature_def=version.signatures)
        )
        return response

    def status(self, request):
        """A GetModelStatusResponse: of a version, or of all, whatever the label."""
        from tensorflow_serving.apis import get_model_status_pb2 as pb2

        spec = request.model_spec
        states = self.states.get(spec.name, {})
        if spec.WhichOneof("version_choice") == "version":
            number = spec.version.value
            states = {number: states[number]} if number in states else {}
            if not states:
                message = f"Could not find version {number} of model {spec.name}"
                raise StatusError(NOT_FOUND, message)
        if not states:
            raise StatusError(NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = pb2.GetModelStatusResponse()
        for number, (name, code, message) in sorted(states.items(), reverse=True):
            state = pb2.ModelVersionStatus.State.Value(name)
            one = response.model_version_status.add(version=number, state=state)
            one.status.error_code, one.status.error_message = code, message
        return response

    @staticmethod
    def _parsed(config):
        from google.protobuf import text_format
        from tensorflow_serving.config import model_server_config_pb2

        parsed = text_format.Parse(config, model_server_config_pb2.ModelServerConfig())
        return parsed.model_config_list.config

    @staticmethod
    def _chosen(base, policy):
        found = sorted(int(child.name) for child in base.iterdir() if child.name.isdigit())
        which = policy.WhichOneof("policy_choice")
        if which == "specific":
            missing = {*policy.specific.versions} - {*found}
            if missing:
                raise StatusError(NOT_FOUND, f"{base} has no version {sorted(missing)}")
            return sorted(policy.specific.versions)
        newest = len(found) if which == "all" else policy.latest.num_versions or 1
        return found[-newest:]


class Server:
    """Listens for REST and gRPC while it is entered.

    Attributes:
        rest, grpc: the addresses, `http://...` and `grpc://...`.
    """

    def __init__(self, models, rest_port=0, grpc_port=0):
        import grpc

        self._rest = _HttpServer(("127.0.0.1", rest_port), _handler(models))
        self._thread = threading.Thread(target=self._rest.serve_forever, args=[0.05], daemon=True)
        self.rest = f"http://127.0.0.1:{self._rest.server_address[1]}"
        sizes = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        self._grpc = grpc.server(futures.ThreadPoolExecutor(4), options=sizes)
        _add_services(models, self._grpc)
        self.grpc = f"grpc://127.0.0.1:{self._grpc.add_insecure_port(f'127.0.0.1:{grpc_port}')}"

    def __enter__(self):
        self._thread.start()
        self._grpc.start()
        return self

    def __exit__(self, *_):
        self._rest.shutdown()
        self._rest.server_close()
        self._thread.join()
        self._grpc.stop(None).wait()


@contextlib.contextmanager
def serve(*arguments, **options):
    """Loads models and gives the addresses of REST and gRPC; arguments as of `Models`."""
    with Models(*arguments, **options) as models, Server(models) as server:
        yield server.rest, server.grpc


def _add_services(models, server):
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    codes = {code.value[0]: code for code in grpc.StatusCode}

    def method(answer):
        def call(self, request, context):
            try:
                return answer(request)
            except StatusError as error:
                context.abort(codes[error.code], error.message)

        return call

    class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
        Predict = method(models.predict)
        GetModelMetadata = method(models.metadata)

    class Status(model_service_pb2_grpc.ModelServiceServicer):
        GetModelStatus = method(models.status)

    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(), server)


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"


def _handler(models):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(re.fullmatch(f"{_MODEL}(/metadata)?", self.path), self._look_up)

        def do_POST(self):
            self._answer(re.fullmatch(f"{_MODEL}:predict", self.path), self._predict)

        def _answer(self, match, answer):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = 200
            try:
                if not match:
                    message = f"Malformed request: {self.command} {self.path}"
                    raise StatusError(INVALID, message)
                text = answer(match, body)
            except StatusError as error:
                status = CODES.get(error.code, ("INTERNAL", 500))[1]
                text = json.dumps({"error": error.message})
            content = text.encode("utf-8", "surrogateescape")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _look_up(self, match, body):
            from google.protobuf.json_format import MessageToDict
            from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

            options = {"preserving_proto_field_name": True}
            options |= {"always_print_fields_with_no_presence": True}
            if not match[4]:
                request = get_model_status_pb2.GetModelStatusRequest(model_spec=_spec(match))
                return json.dumps(MessageToDict(models.status(request), **options))
            request = get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=_spec(match), metadata_field=["signature_def"]
            )
            response = models.metadata(request)
            found = get_model_metadata_pb2.SignatureDefMap()
            response.metadata["signature_def"].Unpack(found)
            spec = MessageToDict(response.model_spec, **options)
            metadata = {"signature_def": MessageToDict(found, **options)}
            return json.dumps({"model_spec": spec, "metadata": metadata})

        def _predict(self, match, body):
            from tensorflow_serving.apis import predict_pb2

            request = predict_pb2.PredictRequest(model_spec=_spec(match))
            rows = fill_request(request, body, models.find(request.model_spec).signatures)
            return json_of(models.predict(request).outputs, rows)

        def log_message(self, *_):
            pass

    return Handler


def _spec(match):
    from tensorflow_serving.apis import model_pb2

    name, version, label = match[1], match[2], match[3]
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(name))
    if version:
        spec.version.value = int(version)
    if label:
        spec.version_label = urllib.parse.unquote(label)
    return spec


def main():
    """`python tests/support/stand_in.py NAME=FOLDER ...`: starts when it is given a line, and
    ends with its standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--rest_port", type=int, default=0)
    parser.add_argument("--grpc_port", type=int, default=0)
    flags = parser.parse_args()
    # What takes seconds.
    import programs  # noqa: F401
    from tensorflow_serving.apis import model_service_pb2_grpc  # noqa: F401

    if not sys.stdin.readline():
        return
    folders = dict(model.split("=", 1) for model in flags.models)
    with Models(folders) as models, Server(models, flags.rest_port, flags.grpc_port):
        sys.stdin.read()


if __name__ == "__main__":
    main()
