"""Requests and answers in JSON, as in TensorFlow Serving's `util/json_tensor.cc`."""

import base64
import json

import numpy as np
from c_api import STRING
from stand_in_process import DTYPES, StatusError

INVALID = 3


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


def json_of(outputs, rows):
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
