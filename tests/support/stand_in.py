"""A server that speaks TensorFlow Serving's protocol over REST and gRPC, for tests.

Each version of a model runs as the stock server runs it: in TensorFlow's C API with XLA disabled,
in a process of its own that never imports TensorFlow. What is JSON, what is an error and in which
words, is as in `tensorflow_serving/util/json_tensor.cc` and `servables/tensorflow/predict_util.cc`.

    with serve({"ner_demo": "saved_models/ner_demo"}) as (rest, grpc):
        ...

As a program it is such a process: python tests/support/stand_in.py LIBRARY FOLDER
"""

import base64
import contextlib
import ctypes
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
from c_api import STRING, STRING_BYTES, Session, pointer

# DataType in TensorFlow, but for strings, which are arrays of bytes.
DTYPES = {1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 9: "i8", 10: "?", 19: "f2"}
DTYPES = {number: np.dtype(name) for number, name in DTYPES.items()}

# grpc.StatusCode, whose numbers are TensorFlow's, in HTTP.
CODES = {3: ("INVALID_ARGUMENT", 400), 5: ("NOT_FOUND", 404), 9: ("FAILED_PRECONDITION", 400)}
CODES |= {11: ("OUT_OF_RANGE", 400), 12: ("UNIMPLEMENTED", 501), 14: ("UNAVAILABLE", 503)}
INVALID, NOT_FOUND, FAILED_PRECONDITION = 3, 5, 9


class StatusError(Exception):
    """An error as TensorFlow has it: a code and a message."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code, self.message = code, message


class ArraySession(Session):
    """Arrays of all types in and out."""

    def _check(self):
        code = self.tf.TF_GetCode(self.status)
        if code:
            message = ctypes.string_at(self.tf.TF_Message(self.status)).decode("utf-8", "replace")
            raise StatusError(code, message)

    def _tensor(self, array):
        numbers = {dtype: number for number, dtype in DTYPES.items()}
        dtype = numbers.get(array.dtype, STRING)
        size = STRING_BYTES * array.size if dtype == STRING else array.nbytes
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.tf.TF_AllocateTensor(dtype, shape, array.ndim, ctypes.c_size_t(size))
        data = self.tf.TF_TensorData(pointer(tensor))
        if dtype == STRING:
            for i, content in enumerate(array.ravel()):
                at = pointer(data + STRING_BYTES * i)
                self.tf.TF_StringInit(at)
                self.tf.TF_StringCopy(at, content, ctypes.c_size_t(len(content)))
        elif size:
            ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, size)
        return tensor

    def _value(self, tensor):
        shape = [self.tf.TF_Dim(tensor, i) for i in range(self.tf.TF_NumDims(tensor))]
        dtype, data = self.tf.TF_TensorType(tensor), self.tf.TF_TensorData(tensor)
        count = int(np.prod(shape))
        if dtype == STRING:
            places = [pointer(data + STRING_BYTES * i) for i in range(count)]
            texts = [
                ctypes.string_at(self.tf.TF_StringGetDataPointer(at), self.tf.TF_StringGetSize(at))
                for at in places
            ]
            array = np.array(texts, object)
        else:
            content = ctypes.string_at(data, count * DTYPES[dtype].itemsize) if count else b""
            array = np.frombuffer(content, DTYPES[dtype])
        self.tf.TF_DeleteTensor(tensor)
        return array.reshape(shape)


def run_session(library, folder):
    """Answers (feeds, fetches) with (arrays, None) or (None, (code, message))."""

    def put(answer):
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()

    try:
        session = ArraySession(library, folder)
    except StatusError as error:
        return put((None, error.args))
    put(([], None))
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        try:
            put((session.run(*question), None))
        except StatusError as error:
            put((None, error.args))
    assert "tensorflow" not in sys.modules


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
    """

    def __init__(self, name, number, folder):
        import tensorflow as tf
        from programs import graph_of

        self.name, self.number, self.company = name, number, {}
        self.signatures = graph_of(folder).signature_def
        self._lock = threading.Lock()
        library = os.path.join(os.path.dirname(tf.__file__), "libtensorflow_cc.so.2")
        command = [sys.executable, __file__, library, str(folder)]
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
        rows = len(next(iter(feeds.values())))
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
    """

    def __init__(self, config, root=None):
        self.versions, self.labels = {}, {}
        if not isinstance(config, str):
            config = "".join(
                f"config {{ name: {json.dumps(name)} base_path: {json.dumps(str(base))} "
                'model_platform: "tensorflow" }'
                for name, base in config.items()
            )
            config = f"model_config_list {{ {config} }}"
        try:
            for model in self._parsed(config):
                base = pathlib.Path(model.base_path)
                base = pathlib.Path(root) / str(base).lstrip("/") if root is not None else base
                self.versions[model.name] = {}
                for number in self._chosen(base, model.model_version_policy):
                    version = Version(model.name, number, base / str(number))
                    self.versions[model.name][number] = version
                self.labels[model.name] = dict(model.version_labels)
                if not {*self.labels[model.name].values()} <= {*self.versions[model.name]}:
                    raise StatusError(
                        FAILED_PRECONDITION,
                        f"Request to assign label to a version of {model.name} that is not "
                        "currently available for inference",
                    )
        except BaseException:
            self.close()
            raise

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
        versions, which = self.versions.get(spec.name, {}), spec.WhichOneof("version_choice")
        if which == "version_label":
            if spec.version_label not in self.labels.get(spec.name, {}):
                message = f"Unrecognized servable version label: {spec.version_label}"
                raise StatusError(INVALID, message)
            return versions[self.labels[spec.name][spec.version_label]]
        number = spec.version.value if which == "version" else max(versions, default=None)
        if number not in versions:
            request = f"Specific({spec.name}, {number})" if which else f"Latest({spec.name})"
            raise StatusError(NOT_FOUND, f"Servable not found for request: {request}")
        return versions[number]

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
        """A GetModelStatusResponse."""
        from tensorflow_serving.apis import get_model_status_pb2 as pb2

        spec = request.model_spec
        if not self.versions.get(spec.name):
            raise StatusError(NOT_FOUND, f"Could not find any versions of model {spec.name}")
        numbers = sorted(self.versions[spec.name], reverse=True)
        if spec.WhichOneof("version_choice"):
            if spec.version.value and spec.version.value not in numbers:
                message = f"Could not find version {spec.version.value} of model {spec.name}"
                raise StatusError(NOT_FOUND, message)
            numbers = [self.find(spec).number]
        available = pb2.ModelVersionStatus.AVAILABLE
        statuses = [pb2.ModelVersionStatus(version=v, state=available) for v in numbers]
        for status in statuses:
            status.status.error_code = 0
        return pb2.GetModelStatusResponse(model_version_status=statuses)

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
def serve(config, root=None):
    """Loads models and gives the addresses of REST and gRPC; arguments as of `Models`."""
    with Models(config, root) as models, Server(models) as server:
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
            return _json_of(models.predict(request).outputs, rows)

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


def fill_request(request, body, signatures):
    """Fills a PredictRequest from JSON; whether it was in rows."""
    try:
        document = json.loads(body)
    except ValueError:
        raise StatusError(INVALID, "JSON Parse error: Invalid value. at offset: 0") from None
    if not isinstance(document, dict):
        raise StatusError(INVALID, f"JSON Value: {json.dumps(document)} Is not object")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise StatusError(
            INVALID,
            f"JSON Value: {json.dumps(document)} not formatted correctly. "
            "'signature_name' key must be a string value.",
        )
    request.model_spec.signature_name = name
    name = name or "serving_default"
    if name not in signatures:
        message = f'Serving signature name: "{name}" not found in signature def'
        raise StatusError(INVALID, message)
    infos = signatures[name].inputs
    if ("instances" in document) == ("inputs" in document):
        message = "Missing 'inputs' or 'instances' key"
        if "inputs" in document:
            message = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
        raise StatusError(INVALID, message)
    if "instances" in document:
        tensors = _of_rows(document["instances"], infos)
    else:
        tensors = _of_columns(document["inputs"], infos)
    for key, (values, shape) in tensors.items():
        _set(request.inputs[key], infos[key].dtype, values, shape)
    return "instances" in document


def _of_columns(inputs, infos):
    if not isinstance(inputs, dict) or _is_base64(inputs):
        if len(infos) > 1:
            raise StatusError(
                INVALID,
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map",
            )
        inputs = dict.fromkeys(infos, inputs)
    tensors = {}
    for key, info in infos.items():
        if key not in inputs:
            raise StatusError(INVALID, f"Missing named input: {key} in 'inputs' object.")
        tensors[key] = _flat(inputs[key], info.dtype)
    return tensors


def _of_rows(rows, infos):
    if not isinstance(rows, list):
        raise StatusError(INVALID, "Excepting 'instances' to be an list/array")
    if not rows:
        raise StatusError(INVALID, "No values in 'instances' array")
    named = isinstance(rows[0], dict) and not _is_base64(rows[0])
    if not named and len(infos) > 1:
        raise StatusError(
            INVALID,
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        )
    columns = {key: ([], None) for key in infos}
    for number, row in enumerate(rows):
        where = f"Failed to process element: {number}"
        if named != (isinstance(row, dict) and not _is_base64(row)):
            raise StatusError(INVALID, f"Expecting value/list but got object at item {number}")
        row = row if named else dict.fromkeys(infos, row)
        if row.keys() != infos.keys():
            keys = ",".join(sorted(infos))
            raise StatusError(
                INVALID, f"{where} of 'instances' list. keys must be equal to: {keys}"
            )
        for key, value in row.items():
            try:
                values, shape = _flat(value, infos[key].dtype)
            except StatusError as error:
                message = f"{where} key: {key} of 'instances' list. Error: {error.message}"
                raise StatusError(INVALID, message) from None
            before, first = columns[key]
            if first not in (None, shape):
                raise StatusError(
                    INVALID,
                    f"{where} key: {key} of 'instances' list. Error: INVALID_ARGUMENT: "
                    f"Expecting shape [{_joined(first)}] but got: [{_joined(shape)}]",
                )
            columns[key] = (before + values, shape)
    return {key: (values, [len(rows), *shape]) for key, (values, shape) in columns.items()}


def _joined(shape):
    return ",".join(map(str, shape))


def _is_base64(value):
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _flat(value, dtype):
    """The values of nested lists, all of one shape, and the shape."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    values = []

    def fill(one, level):
        if not isinstance(one, list):
            if level != len(shape):
                message = f"JSON Value: {json.dumps(one)} found at incorrect level: {level + 1}"
                message += f" in the JSON DOM. Expected at level: {len(shape)}"
                raise StatusError(INVALID, message)
            values.append(_scalar(one, dtype))
            return
        if level >= len(shape):
            message = f"Encountered list at unexpected level: {level} expected < {len(shape)}"
            raise StatusError(INVALID, message)
        if len(one) != shape[level]:
            message = f"Encountered list at unexpected size: {len(one)} at level: {level}"
            raise StatusError(INVALID, f"{message} expected size: {shape[level]}")
        for child in one:
            fill(child, level + 1)

    fill(value, 0)
    return values, shape


def _scalar(value, number):
    from tensorflow.core.framework import types_pb2

    if number == STRING and _is_base64(value):
        return base64.b64decode(value["b64"])
    kind = DTYPES[number].kind if number != STRING else "S"
    kinds = {"f": int | float, "i": int, "u": int, "b": bool, "S": str}
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "b"):
        kind = types_pb2.DataType.Name(number)[3:].lower()
        message = f"JSON Value: {json.dumps(value)} is not of expected type: {kind}"
        raise StatusError(INVALID, message)
    return value.encode() if kind == "S" else value


def _set(proto, number, values, shape):
    import tensorflow as tf

    array = np.array(values, DTYPES.get(number, object)).reshape(shape)
    proto.CopyFrom(tf.make_tensor_proto(array, number, shape))


def _json_of(outputs, rows):
    """The JSON of a PredictResponse's outputs; a single one comes without its name."""
    import tensorflow as tf

    arrays = {key: tf.make_ndarray(outputs[key]) for key in sorted(outputs)}
    if not rows:
        texts = {key: _json_array(key, array) for key, array in arrays.items()}
        return f'{{"outputs": {_json_dict(texts)}}}'
    batch = None
    for key, array in arrays.items():
        if not array.shape:
            raise StatusError(INVALID, f"Tensor name: {key} has no shape information ")
        if batch not in (None, array.shape[0]):
            message = f"Tensor name: {key} has inconsistent batch size: {array.shape[0]}"
            raise StatusError(INVALID, f"{message} expecting: {batch}")
        batch = array.shape[0]
    each = [
        _json_dict({key: _json_array(key, array[row]) for key, array in arrays.items()})
        for row in range(batch)
    ]
    return f'{{"predictions": [{", ".join(each)}]}}'


def _json_dict(texts):
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "{" + ", ".join(f"{json.dumps(key)}: {text}" for key, text in texts.items()) + "}"


def _json_array(name, array):
    if isinstance(array, np.ndarray) and array.ndim:
        return "[" + ", ".join(_json_array(name, one) for one in array) + "]"
    value = array.item() if isinstance(array, np.ndarray | np.generic) else array
    if isinstance(value, bytes) and name.endswith("_bytes"):
        return json.dumps({"b64": base64.b64encode(value).decode()})
    if isinstance(value, bytes):  # bytes that are not UTF-8 go out as they are
        return json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False)
    if isinstance(value, float):
        return _json_decimal(array.dtype.type, value)
    return json.dumps(value)


def _json_decimal(kind, value):
    if not np.isfinite(value):
        return json.dumps(value)
    text = f"{value:.6g}"
    if kind(text) != value:
        text = f"{value:.{17 if kind is np.float64 else 9}g}"
    return text if "." in text or "e" in text else f"{text}.0"


if __name__ == "__main__":
    run_session(*sys.argv[1:])
