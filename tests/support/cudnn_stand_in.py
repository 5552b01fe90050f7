"""cuDNN's recurrent operations, by the equations of its manual, where there is no GPU.

https://docs.nvidia.com/deeplearning/cudnn/latest/api/cudnn-adv-library.html, cudnnRNNMode_t.
"""

import collections

import tensorflow as tf

Forward = collections.namedtuple("Forward", "output output_h output_c reserve_space host_reserved")
Back = collections.namedtuple(
    "Back", "input_backprop input_h_backprop input_c_backprop params_backprop"
)
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}


class StandIn:
    """Takes the place of both operations of `tf.raw_ops`.

    Attributes:
        calls: the arguments of each call forward.
        change: what happens to the flat weights first, for an operation that is wrong.
        error: what the operation raises, or None.
    """

    def __init__(self):
        self.calls, self.change, self.error = [], lambda weights, mode: weights, None

    def install(self, patch):
        patch.setattr(tf.raw_ops, "CudnnRNNV3", self.forward)
        patch.setattr(tf.raw_ops, "CudnnRNNBackpropV3", self.back)
        a_gpu_is_seen(patch)

    def forward(self, **given):
        self.calls.append(given)
        if self.error is not None:
            raise self.error
        mode = given.get("rnn_mode", "lstm")
        inputs = [given[name] for name in ("input", "input_h", "input_c")]
        inputs = [tf.convert_to_tensor(one, given["input"].dtype) for one in inputs]
        results = _run(mode, *inputs, self.change(given["params"], mode), given["sequence_lengths"])
        none = tf.zeros([0], given["input"].dtype)
        return Forward(*results, none, tf.zeros([0], tf.int8))

    def back(self, **given):
        """Gradients by automatic differentiation of the equations."""
        watched = [given[name] for name in ("input", "input_h", "input_c", "params")]
        d_results = [given[f"{name}_backprop"] for name in ("output", "output_h", "output_c")]
        mode = given["rnn_mode"]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            x, h, c, weights = watched
            results = _run(mode, x, h, c, self.change(weights, mode), given["sequence_lengths"])
        return Back(*tape.gradient(results, watched, d_results, unconnected_gradients="zero"))


def a_gpu_is_seen(patch):
    """TensorFlow says that there is one."""
    for name in ("get_visible_devices", "list_logical_devices"):
        devices = getattr(tf.config, name)

        def with_gpu(kind=None, devices=devices):
            return ["a GPU"] if kind == "GPU" else devices(kind)

        patch.setattr(tf.config, name, with_gpu)


def _run(mode, x, h, c, weights, lengths):
    """Batch first; h and c are `[batch, 1, units]`; each row ends at its length."""
    tf.debugging.assert_positive(lengths, "cuDNN takes no empty sequence")
    features, units, gates = x.shape[2], h.shape[2], GATES[mode]
    sizes = [features * units] * gates + [units * units] * gates + [units] * 2 * gates
    parts = tf.split(weights, sizes)
    w = [tf.reshape(part, [units, features]) for part in parts[:gates]]
    r = [tf.reshape(part, [units, units]) for part in parts[gates : 2 * gates]]
    b_w, b_r = parts[2 * gates : 3 * gates], parts[3 * gates :]
    c_first = c[:, 0] if mode == "lstm" else tf.zeros_like(h[:, 0])

    def step(states, now):
        (h, c, _), (x, t) = states, now
        from_x = [x @ tf.transpose(w[k]) + b_w[k] for k in range(gates)]
        from_h = [h @ tf.transpose(r[k]) + b_r[k] for k in range(gates)]
        new_c = c
        if mode == "lstm":
            i, f, c_new, o = map(tf.add, from_x, from_h)
            new_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(c_new)
            new_h = tf.sigmoid(o) * tf.tanh(new_c)
        elif mode == "gru":
            gate_r, gate_i = (tf.sigmoid(from_x[k] + from_h[k]) for k in range(2))
            new_h = (1 - gate_i) * tf.tanh(from_x[2] + gate_r * from_h[2]) + gate_i * h
        else:
            g = {"rnn_tanh": tf.tanh, "rnn_relu": tf.nn.relu}[mode]
            new_h = g(from_x[0] + from_h[0])
        real = (t < lengths)[:, None]
        output = tf.where(real, new_h, tf.zeros_like(new_h))
        return tf.where(real, new_h, h), tf.where(real, new_c, c), output

    h_all, c_all, outputs = tf.scan(
        step,
        (tf.transpose(x, [1, 0, 2]), tf.range(tf.shape(x)[1])),
        (h[:, 0], c_first, tf.zeros_like(h[:, 0])),
    )
    output_c = c_all[-1][:, None] if mode == "lstm" else tf.zeros([], x.dtype)
    return tf.transpose(outputs, [1, 0, 2]), h_all[-1][:, None], output_c
