"""Work for several processes at once, one core each.

Small networks lose more to a second core than they win from it: two trainings side by side take as
long as one.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import TypeVar

from tasks.data.errors import UserError

# Nothing here imports TensorFlow: a new process does so quietly, and keeps to its core.

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    work: Callable[[T], R], items: Iterable[T], processes: int, done: Callable[[R], object]
) -> None:
    """Does some work for each item, and tells what came of it as soon as it is there.

    Whatever ends this process, SIGKILL included, ends the others, in the middle of their work.

    Args:
        work: of a module that imports TensorFlow or not; called in other processes.
        items: what it is called with, one at a time, in their order.
        processes: how many work at once; 1: this one, on all cores, does it all.
        done: called in this process with each result.

    Raises:
        UserError: a process ended before its work was done.

    Example:
        >>> each(abs, [-1, 2], processes=1, done=print)
        1
        2
    """
    if processes == 1:
        for item in items:
            done(work(item))
        return
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (theirs,))
    try:
        # Who is started here never hears Ctrl-C: this process does, and ends the others.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            futures = [pool.submit(work, item) for item in items]
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for future in concurrent.futures.as_completed(futures):
            done(future.result())
    except BaseException as error:
        ours.close()
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "expected the processes that this one started to do their work. Received: the end "
                "of one, maybe for want of memory. Start again with fewer: --processes=1"
            ) from None
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()


def _begin(parent: Connection) -> None:
    """Makes a new process ready: one core, and an end with its parent."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from tasks.framework.running import import_quietly

    import_quietly()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with(parent: Connection) -> None:
    """Waits until the other end is closed, which it is by the end of its process at the latest."""
    with contextlib.suppress(EOFError, OSError):
        parent.recv_bytes()
    os._exit(1)
