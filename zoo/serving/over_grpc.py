"""Asks TensorFlow Serving over gRPC; `pip install tensorflow-serving-api` brings the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from zoo.predictor import Signature, Spec
from zoo.serving.client import LONGEST_SECONDS, Client, Lost, signatures_of

_LARGEST_MESSAGE = 2**30


class GrpcClient(Client):
    """A model on a server, asked over one connection that stays open."""

    def __init__(
        self,
        address: str,
        name: str,
        version: int | None,
        label: str | None,
        timeout: float,
        retries: int,
    ):
        super().__init__(address, name, version, label, timeout, retries)
        try:
            import grpc
            from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2
            from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
        except ImportError as error:
            raise ImportError(
                f"{address}: expected gRPC and TensorFlow Serving's protocol to be installed: "
                f"`pip install tensorflow-serving-api`. Received: {error}. REST needs neither"
            ) from error
        self._grpc, self._metadata, self._messages = grpc, get_model_metadata_pb2, predict_pb2
        self._model = model_pb2.ModelSpec(name=name, version_label=label)
        if version is not None:
            self._model.version.value = version
        options = {
            "grpc.max_send_message_length": _LARGEST_MESSAGE,
            "grpc.max_receive_message_length": _LARGEST_MESSAGE,
            # gRPC waits on its own before it connects again: no longer than the pauses here.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": int(1000 * LONGEST_SECONDS),
        }
        self._channel = grpc.insecure_channel(urlsplit(address).netloc, list(options.items()))
        self._stub = PredictionServiceStub(self._channel)

    def _read_signatures(self) -> dict[str, Signature]:
        from google.protobuf.json_format import MessageToDict

        request = self._metadata.GetModelMetadataRequest(
            model_spec=self._model, metadata_field=["signature_def"]
        )
        answer = self._call(self._stub.GetModelMetadata, request)
        found = self._metadata.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return signatures_of(MessageToDict(found, preserving_proto_field_name=True))

    def _predict(
        self, signature: str, inputs: dict[str, np.ndarray], outputs: dict[str, Spec]
    ) -> dict[str, np.ndarray]:
        import tensorflow as tf

        request = self._messages.PredictRequest(model_spec=self._model)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            dtype = tf.string if array.dtype.kind == "O" else array.dtype
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, dtype, array.shape))
        answer = self._call(self._stub.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def _call(self, method: Callable, request: Any) -> Any:
        codes = self._grpc.StatusCode
        try:
            return method(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            if error.code() == codes.DEADLINE_EXCEEDED:
                raise self._too_late() from error
            if error.code() == codes.UNAVAILABLE:
                raise Lost(error.details()) from error
            raise self._error(f"{error.details()} ({error.code().name})") from error
