"""The lecture's recurrent networks as Keras layers."""

from layers.gru import GRU
from layers.lstm import LSTM
from layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN"]
