"""The loop over time, and back-propagation through it: one place, used by every cell.

How the work is divided, for T steps:

    before the loop   Z = X W_x + b                   one matrix product for all steps
    the loop          z<t> = Z<t> + a<t-1> U          only what depends on the step before
                      gates, states, and the slopes that back-propagation will need
    the loop back     dz<t> from da<t>, then da<t-1> = dz<t> Uᵀ
    after the loop    dU = Σ_t a<t-1>ᵀ dz<t>,  dW_x = Σ_t x<t>ᵀ dz<t>,  dX = dZ W_xᵀ
                      one matrix product each for all steps

A cell (rnn.py, gru.py, lstm.py) writes down its equations and, beside them, its derivatives; the
loops here know nothing of gates.

The same loops run in two forms, and cuDNN can take their place:

    compiled   by XLA, the batch cut into shards that run side by side, because XLA keeps the
               products of one call on one core. Compiles once for each shape.
    portable   an ordinary TensorFlow graph, without XLA: runs wherever TensorFlow runs,
               TensorFlow Serving included.
    cuDNN      NVIDIA's kernel for a whole run, on a GPU, for the cells that it knows; never in a
               graph that may be exported.

Who does what, each module using only those above it:

    cell.py        what a cell has to say: equations, derivatives, how they are laid out
    plan.py        one run of a cell, as far as it is known before the data
    compiling.py   what the machine decides: when XLA compiles, for which lengths, one function for
                   all layers of a kind, which functions stay on this machine, and in which
                   precision loops compute
    sharding.py    the tensors of a run, cut into shards of the batch and joined again
    loops.py       the loops over time
    passes.py      the forward and the backward pass: a loop and the products around it
    blocks.py      the forward pass out of training, rows side by side and without their padding
    kernels.py     the forward pass out of training: by one kernel or by steps, and who gets which
    gradient.py    the backward pass as the gradient of the forward pass
    cudnn.py       a whole run by NVIDIA's kernel
    checking.py    a kernel compared with the loop before it is believed
    running.py     `run`, `quantities` and `derivatives`, which layers call; loop or kernel
    feeding.py     the loop in which each step waits for attention, and its way back
"""

from layers.engine.cell import Cell, CudnnForm, Step, WrappedCell
from layers.engine.compiling import (
    function_here,
    multiply,
    precision_of_loops,
    precision_of_products,
)
from layers.engine.plan import Plan
from layers.engine.running import derivatives, quantities, run

__all__ = [
    "Cell",
    "CudnnForm",
    "Plan",
    "Step",
    "WrappedCell",
    "derivatives",
    "function_here",
    "multiply",
    "precision_of_loops",
    "precision_of_products",
    "quantities",
    "run",
]
