"""The lecture's equations as NumPy loops over single vectors, written without `layers`.

`W` holds the weights by the lecture's names, each matrix as [state | input]; a missing bias is 0.
A step takes W, x<t> and the states before it, and returns everything that it names.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hard_sigmoid(z):
    return np.clip(z / 6 + 0.5, 0, 1)


def softsign(z):
    return z / (1 + np.abs(z))


def relu(z):
    return np.maximum(z, 0)


def identity(z):
    return z


def products(W, gate, left, x):
    """W_gate [left, x] in its two parts, that of the state and that of the input."""
    gates = W.get("together", {}).get(gate, gate)
    units = len(left)
    of_state = [W[f"W_{g}"][:, :units] @ left for g in gates]
    of_input = [W[f"W_{g}"][:, units:] @ x for g in W.get("all", gates)]
    if "together" not in W:
        return of_state[0], of_input[0]
    here, there = gates.index(gate), W["all"].index(gate)
    return (
        W[f"gain_a_{gate}"] * norm(np.stack(of_state))[here],
        W[f"gain_x_{gate}"] * norm(np.stack(of_input))[there],
    )


def norm(z):
    return (z - z.mean()) / np.sqrt(z.var() + 1e-3)


def normalized(step, together):
    """A step with layer normalization of each product; `together`: gates that share a product."""
    by_gate = {gate: gates for gates in together for gate in gates}
    return lambda W, *tensors, **gs: step(
        W | {"together": by_gate, "all": "".join(together)}, *tensors, **gs
    )


def affine(W, gate, left, x):
    """W_gate [left, x] + b_gate"""
    return np.add(*products(W, gate, left, x)) + W.get(f"b_{gate}", 0)


def rnn(W, x, a, g=np.tanh):
    return {"a": g(affine(W, "a", a, x))}


def gru_simplified(W, x, c, g=np.tanh, σ=sigmoid):
    c_tilde = g(affine(W, "c", c, x))
    gate_u = σ(affine(W, "u", c, x))
    return {"gate_u": gate_u, "c_tilde": c_tilde, "c": gate_u * c_tilde + (1 - gate_u) * c}


def gru(W, x, c, g=np.tanh, σ=sigmoid):
    gate_r = σ(affine(W, "r", c, x))
    c_tilde = g(affine(W, "c", gate_r * c, x))
    gate_u = σ(affine(W, "u", c, x))
    return {
        "gate_u": gate_u,
        "gate_r": gate_r,
        "c_tilde": c_tilde,
        "c": gate_u * c_tilde + (1 - gate_u) * c,
    }


def gru_reset_after(W, x, c, g=np.tanh, σ=sigmoid):
    z_cc, z_cx = products(W, "c", c, x)
    gate_r = σ(affine(W, "r", c, x))
    c_tilde = g(z_cx + W.get("b_c", 0) + gate_r * (z_cc + W.get("b_cc", 0)))
    gate_u = σ(affine(W, "u", c, x))
    return {
        "gate_u": gate_u,
        "gate_r": gate_r,
        "c_tilde": c_tilde,
        "c": gate_u * c_tilde + (1 - gate_u) * c,
    }


def lstm(W, x, a, c, g=np.tanh, σ=sigmoid, g_output=None):
    c_tilde = g(affine(W, "c", a, x))
    gate_u = σ(affine(W, "u", a, x))
    gate_f = σ(affine(W, "f", a, x))
    gate_o = σ(affine(W, "o", a, x))
    c = gate_u * c_tilde + gate_f * c
    return {
        "gate_u": gate_u,
        "gate_f": gate_f,
        "gate_o": gate_o,
        "c_tilde": c_tilde,
        "c": c,
        "a": gate_o * (g_output or g)(c),
    }


def run(step, W, x, states, mask=None, reverse=False):
    """Runs a step over sequences.

    Args:
        step: one of the above.
        W: weights by the lecture's names.
        x: `[batch, time, features]`.
        states: `{name: [batch, units]}`, in the order in which the step takes them.
        mask: bool `[batch, time]` or None; a padded step changes no state and gives zeros.
        reverse: from the last step to the first.

    Returns:
        `{name: [batch, time, units]}` of everything that the step names, and the last states.
    """
    batch, time = x.shape[:2]
    mask = np.ones([batch, time], bool) if mask is None else mask
    states = {name: np.array(value) for name, value in states.items()}
    units = next(iter(states.values())).shape[1]
    named = {}
    for b in range(batch):
        for t in reversed(range(time)) if reverse else range(time):
            if not mask[b, t]:
                continue
            values = step(W, x[b, t], *(state[b] for state in states.values()))
            for name, value in values.items():
                named.setdefault(name, np.zeros([batch, time, units]))[b, t] = value
            for name in states:
                states[name][b] = values[name]
    return named, states
