"""Asks TensorFlow Serving over gRPC; `pip install tensorflow-serving-api` brings the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from zoo.inputs import Spec
from zoo.predictor import Signature
from zoo.serving.asking import Client, Target
from zoo.serving.deadline import LONGEST_SECONDS, Deadline
from zoo.serving.errors import Lost
from zoo.serving.messages import State, signatures_of, states_of

_LARGEST_MESSAGE = 2**30


class GrpcClient(Client):
    """A model on a server, asked over one connection that stays open."""

    def __init__(self, target: Target):
        super().__init__(target)
        try:
            # TensorFlow takes seconds to import: here, and not within the time of a question.
            import grpc
            import tensorflow as tf
            from google.protobuf import json_format
            from tensorflow_serving.apis import (
                get_model_metadata_pb2,
                get_model_status_pb2,
                model_pb2,
                model_service_pb2_grpc,
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            raise ImportError(
                f"{target.address}: expected gRPC and TensorFlow Serving's protocol to be "
                f"installed: `pip install tensorflow-serving-api`. Received: {error}. REST needs "
                "neither"
            ) from error
        self._grpc, self._tf, self._json = grpc, tf, json_format
        self._metadata, self._status = get_model_metadata_pb2, get_model_status_pb2
        self._messages = predict_pb2
        numbered = model_pb2.ModelSpec(name=target.name)
        if target.version is not None:
            numbered.version.value = target.version
        self._numbered, self._model = numbered, model_pb2.ModelSpec()
        self._model.CopyFrom(numbered)
        if target.label is not None:
            self._model.version_label = target.label
        options = {
            "grpc.max_send_message_length": _LARGEST_MESSAGE,
            "grpc.max_receive_message_length": _LARGEST_MESSAGE,
            # gRPC waits on its own before it connects again: no longer than the pauses here.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": int(1000 * LONGEST_SECONDS),
        }
        self._channel = grpc.insecure_channel(urlsplit(target.address).netloc, [*options.items()])
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def read_signatures(self, deadline: Deadline) -> dict[str, Signature]:
        request = self._metadata.GetModelMetadataRequest(
            model_spec=self._model, metadata_field=["signature_def"]
        )
        answer = self._call(self._prediction.GetModelMetadata, request, deadline)
        found = self._metadata.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return signatures_of(self._json.MessageToDict(found, preserving_proto_field_name=True))

    def read_states(self, deadline: Deadline) -> dict[int, State]:
        request = self._status.GetModelStatusRequest(model_spec=self._numbered)
        answer = self._call(self._models.GetModelStatus, request, deadline)
        said = self._json.MessageToDict(answer, preserving_proto_field_name=True)
        return states_of(said.get("model_version_status", []))

    def _predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: dict[str, Spec],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        tf = self._tf
        request = self._messages.PredictRequest(model_spec=self._model)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            dtype = tf.string if array.dtype.kind == "O" else array.dtype
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, dtype, array.shape))
        answer = self._call(self._prediction.Predict, request, deadline)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def close(self) -> None:
        super().close()
        self._channel.close()

    def _call(self, method: Callable, request: Any, deadline: Deadline) -> Any:
        self._check_open()
        codes = self._grpc.StatusCode
        try:
            return method(request, timeout=deadline.left())
        except TimeoutError as error:
            raise self._too_late(deadline) from error
        except self._grpc.RpcError as error:
            if error.code() == codes.DEADLINE_EXCEEDED:
                raise self._too_late(deadline) from error
            if error.code() == codes.UNAVAILABLE:
                raise Lost(error.details()) from error
            raise self._error(f"{error.details()} ({error.code().name})") from error
