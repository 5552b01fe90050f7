"""The lecture's recurrent networks as Keras layers."""

from layers.attention import SCORES, Attention
from layers.convert import from_keras, from_torch, to_keras, to_torch
from layers.crf import CRF
from layers.crf_loss import CRFLoss
from layers.gates import gate_activations
from layers.gru import GRU
from layers.lstm import LSTM
from layers.pooling import POOLINGS, Pooling
from layers.rnn import RNN
from layers.stack import CELLS, Stack

__all__ = [
    "CELLS",
    "CRF",
    "GRU",
    "LSTM",
    "POOLINGS",
    "RNN",
    "SCORES",
    "Attention",
    "CRFLoss",
    "Pooling",
    "Stack",
    "from_keras",
    "from_torch",
    "gate_activations",
    "to_keras",
    "to_torch",
]
