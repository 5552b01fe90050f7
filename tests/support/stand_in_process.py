"""A version of a model as the stock server runs it: in TensorFlow's C API with XLA disabled.

But for the optimization of its graphs, which takes a model of the zoo up to 20 seconds: that is
done where a model is loaded in Python, and by `c_api` itself.

A process of its own, which never imports TensorFlow:

    python tests/support/stand_in_process.py LIBRARY FOLDER
"""

import ctypes
import pickle
import sys

import numpy as np
from c_api import STRING, STRING_BYTES, Session, pointer

# DataType in TensorFlow, but for strings, which are arrays of bytes.
DTYPES = {1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 9: "i8", 10: "?", 19: "f2"}
DTYPES = {number: np.dtype(name) for number, name in DTYPES.items()}


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
        session = ArraySession(library, folder, optimized=False)
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


if __name__ == "__main__":
    run_session(*sys.argv[1:])
