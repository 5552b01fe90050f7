"""A SavedModel in TensorFlow's C API with XLA compilation disabled, as TensorFlow Serving runs it.

python tests/support/c_api.py LIBRARY FOLDER < requests.jsonl > answers.jsonl

A request is {"feeds": {tensor: value}, "fetches": [tensor, ...]}, its answer the list of the values
or a string, the error. Values are nested lists; of bytes, strings in Latin-1. This process never
imports TensorFlow: what runs is the library alone.
"""

import ctypes
import json
import sys

import numpy as np

FLOAT, INT32, STRING, INT64, BOOL = 1, 3, 7, 9, 10
TYPES = {FLOAT: np.float32, INT32: np.int32, INT64: np.int64, BOOL: np.bool_}
STRING_BYTES = 24
# A ConfigProto whose graph_options.rewrite_options.disable_meta_optimizer is true.
UNOPTIMIZED = b"\x52\x05\x52\x03\x98\x01\x01"
pointer = ctypes.c_void_p


class Output(ctypes.Structure):
    _fields_ = (("operation", pointer), ("index", ctypes.c_int))


class Session:
    """A SavedModel that answers.

    Args:
        library: path of TensorFlow's.
        folder: of the SavedModel.
        optimized: whether graphs are optimized first, as a server does; that takes longer than the
            questions of most tests.
    """

    def __init__(self, library: str, folder: str, optimized: bool = True):
        self.tf = ctypes.CDLL(library)
        self.tf._ZN10tensorflow21DisableXlaCompilationEv()
        for name in (
            *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_AllocateTensor"),
            *("TF_LoadSessionFromSavedModel", "TF_Message", "TF_TensorData"),
            *("TF_GraphOperationByName", "TF_StringGetDataPointer"),
        ):
            getattr(self.tf, name).restype = pointer
        self.tf.TF_StringGetSize.restype = ctypes.c_size_t
        self.tf.TF_Dim.restype = ctypes.c_int64
        self.status, self.graph = pointer(self.tf.TF_NewStatus()), pointer(self.tf.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = pointer(self.tf.TF_NewSessionOptions())
        if not optimized:
            size = ctypes.c_size_t(len(UNOPTIMIZED))
            self.tf.TF_SetConfig(options, UNOPTIMIZED, size, self.status)
            self._check()
        self.session = pointer(
            self.tf.TF_LoadSessionFromSavedModel(
                options, None, folder.encode(), tags, 1,
                self.graph, None, self.status,
            )
        )  # fmt: skip
        self._check()

    def run(self, feeds: dict, fetches: list[str]) -> list:
        inputs = (Output * len(feeds))(*map(self._output, feeds))
        values = (pointer * len(feeds))(*map(self._tensor, feeds.values()))
        outputs = (Output * len(fetches))(*map(self._output, fetches))
        results = (pointer * len(fetches))()
        self.tf.TF_SessionRun(
            self.session, None, inputs, values, len(feeds), outputs, results, len(fetches),
            None, 0, None, self.status,
        )  # fmt: skip
        for value in values:
            self.tf.TF_DeleteTensor(pointer(value))
        self._check()
        return [self._value(pointer(result)) for result in results]

    def _check(self) -> None:
        if self.tf.TF_GetCode(self.status):
            raise RuntimeError(ctypes.string_at(self.tf.TF_Message(self.status)).decode())

    def _output(self, name: str) -> Output:
        operation, index = name.rsplit(":", 1)
        found = self.tf.TF_GraphOperationByName(self.graph, operation.encode())
        if not found:
            raise RuntimeError(f"no operation {operation}")
        return Output(found, int(index))

    def _tensor(self, value: list) -> int:
        array = np.array(value)
        is_string = array.dtype.kind == "U" or array.size == 0
        dtype = STRING if is_string else {"f": FLOAT, "i": INT32, "b": BOOL}[array.dtype.kind]
        if not is_string:
            array = np.ascontiguousarray(array, TYPES[dtype])
        size = STRING_BYTES * array.size if is_string else array.nbytes
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.tf.TF_AllocateTensor(dtype, shape, array.ndim, ctypes.c_size_t(size))
        data = self.tf.TF_TensorData(pointer(tensor))
        if is_string:
            for i, text in enumerate(array.ravel()):
                content = str(text).encode("latin-1")
                at = pointer(data + STRING_BYTES * i)
                self.tf.TF_StringInit(at)
                self.tf.TF_StringCopy(at, content, ctypes.c_size_t(len(content)))
        else:
            ctypes.memmove(data, array.ctypes.data, size)
        return tensor

    def _value(self, tensor: pointer) -> list:
        shape = [self.tf.TF_Dim(tensor, i) for i in range(self.tf.TF_NumDims(tensor))]
        dtype, data = self.tf.TF_TensorType(tensor), self.tf.TF_TensorData(tensor)
        count = int(np.prod(shape))
        if dtype == STRING:
            values = []
            for i in range(count):
                at = pointer(data + STRING_BYTES * i)
                content = self.tf.TF_StringGetDataPointer(at)
                size = self.tf.TF_StringGetSize(at)
                values.append(ctypes.string_at(content, size).decode("latin-1"))
            array = np.array(values, object)
        else:
            size = count * np.dtype(TYPES[dtype]).itemsize
            array = np.frombuffer(ctypes.string_at(data, size), TYPES[dtype])
        self.tf.TF_DeleteTensor(tensor)
        return array.reshape(shape).tolist()


if __name__ == "__main__":
    session = Session(*sys.argv[1:])
    for line in sys.stdin:
        try:
            answer = session.run(**json.loads(line))
        except RuntimeError as error:
            answer = str(error)
        print(json.dumps(answer), flush=True)
    assert "tensorflow" not in sys.modules
