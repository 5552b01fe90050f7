"""Memory that is freed stays with the program.

TensorFlow asks the C library for every tensor. For large ones that library asks the kernel, and
gives back what is freed, at every step of training; the kernel clears each page anew. With a
vocabulary of 33,000 words this takes half of a step.
"""

from __future__ import annotations

import ctypes
import platform

# <malloc.h> of the GNU C library: map nothing on its own, and give nothing back.
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1


def keep_freed() -> bool:
    """Asks the C library to keep what is freed. True where it does; only the GNU library can.

    The program then holds as much memory as it once needed, until it ends.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return mallopt(_M_MMAP_MAX, 0) == 1 and mallopt(_M_TRIM_THRESHOLD, -1) == 1
