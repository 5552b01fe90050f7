"""Writes torch.npz: what PyTorch's recurrent modules give. `python tests/golden/make_torch.py`"""

import pathlib

import numpy as np
import torch

PATH = pathlib.Path(__file__).with_name("torch.npz")
MODULES = {
    "rnn": (torch.nn.RNN, {}),
    "rnn_relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "gru": (torch.nn.GRU, {}),
    "lstm": (torch.nn.LSTM, {}),
}
BATCH, TIME, FEATURES, UNITS = 2, 4, 3, 2


def golden(name, depth, bidirectional, bias):
    module, arguments = MODULES[name]
    shape = {"num_layers": depth, "bidirectional": bidirectional, "bias": bias}
    module = module(FEATURES, UNITS, batch_first=True, dtype=torch.float64, **shape, **arguments)
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    directions = depth * (2 if bidirectional else 1)
    start = [
        torch.randn(directions, BATCH, UNITS, dtype=torch.float64)
        for _ in range(2 if name == "lstm" else 1)
    ]
    x = torch.randn(BATCH, TIME, FEATURES, dtype=torch.float64)
    outputs, last = module(x, tuple(start) if name == "lstm" else start[0])
    last = last if name == "lstm" else (last,)
    arrays = {"x": x, "outputs": outputs, "start": torch.stack(start), "last": torch.stack(last)}
    arrays |= {f"state_dict/{key}": value for key, value in module.state_dict().items()}
    return {key: value.detach().numpy() for key, value in arrays.items()}


def main():
    torch.manual_seed(0)
    arrays = {}
    for name in MODULES:
        for depth, bidirectional, bias in [(1, False, True), (2, True, True), (1, False, False)]:
            case = f"{name}-{depth}-{int(bidirectional)}-{int(bias)}"
            values = golden(name, depth, bidirectional, bias)
            arrays |= {f"{case}/{key}": value for key, value in values.items()}
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()
