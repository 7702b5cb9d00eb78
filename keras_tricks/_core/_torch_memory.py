"""Memory for large results of torch on a processor, used again once nobody holds what was in it.

The system gives new memory page by page at the first writing, which takes several times longer than most operations on
images; glibc gives back what is larger than 32 MB each time that it is freed.
"""

import math
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

SMALLEST = 2**22  # bytes; what is smaller lies where the last one of its size has been
KEPT = 2**28  # bytes at most, of all that is kept
NUMPY_TYPES = {torch.uint8: np.uint8, torch.float32: np.float32}

_kept: list[np.ndarray] = []
_lock = threading.Lock()

if hasattr(os, "register_at_fork"):  # another thread may hold the lock just then
    os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))

# References to memory that no tensor has: the list's, and the question's. Without a global lock they are not counted.
_alone = [np.empty(1, "uint8")]
HELD_HERE = sys.getrefcount(_alone[0])
COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()

# From the largest block freed so far, of up to 32 MB, glibc takes what it keeps for the next ones: what is computed on
# the way must not be new memory each time either. Nothing is written to this one, so it takes no memory.
torch.empty(2**25 - 2**16, dtype=torch.uint8)


def empty(shape: Sequence[int], like: Any) -> Any:
    """A tensor of `shape` that is still to be written to, otherwise as `like`, an ordinary tensor."""
    dtype = NUMPY_TYPES.get(like.dtype)
    size = math.prod(shape) * like.element_size()
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return like.new_empty(tuple(shape))
    if dtype is None or like.device.type != "cpu" or not SMALLEST <= size <= KEPT // 2 or not COUNTS:
        return like.new_empty(tuple(shape))
    return torch.from_numpy(_memory(size)[:size].view(dtype).reshape(tuple(shape)))


def _memory(size: int) -> np.ndarray:
    with _lock:
        for place in range(len(_kept)):
            if size <= _kept[place].nbytes <= 2 * size and sys.getrefcount(_kept[place]) == HELD_HERE:
                memory = _kept.pop(place)
                break
        else:
            memory = np.empty(size, "uint8")
        _kept.append(memory)
        while sum(one.nbytes for one in _kept) > KEPT:
            _kept.pop(0)
        return memory
