"""Memory of torch's results that is used again: never what somebody still holds, and not without end."""

import gc
import importlib
import os
import threading

import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("JAX and TensorFlow keep the memory of their results themselves", allow_module_level=True)

torch = importlib.import_module("torch")
memory = importlib.import_module("keras_tricks._core._torch_memory")

NUMBERS = memory.SMALLEST // 4


@pytest.fixture(autouse=True)
def nothing_kept():
    memory._kept.clear()
    yield
    memory._kept.clear()


def new(numbers=NUMBERS, dtype=torch.float32):
    return memory.empty((numbers,), torch.empty(0, dtype=dtype))


def test_what_was_let_go_is_used_again():
    tensor = new()
    place = tensor.data_ptr()
    assert new().data_ptr() != place
    del tensor
    assert new().data_ptr() == place
    assert new(4 * NUMBERS, torch.uint8).data_ptr() in {kept.ctypes.data for kept in memory._kept}


@pytest.mark.parametrize(
    "hold",
    [
        lambda tensor: tensor[5:],
        lambda tensor: tensor.view(-1, 2).T,
        lambda tensor: tensor.numpy()[3:],
        lambda tensor: tensor.detach(),
        lambda tensor: torch.nn.Parameter(tensor),
        lambda tensor: torch.utils.dlpack.to_dlpack(tensor),
        lambda tensor: np.from_dlpack(tensor),
        lambda tensor: memoryview(tensor.numpy()),
        lambda tensor: tensor.untyped_storage(),
        lambda tensor: torch.ones((), requires_grad=True) * tensor,  # which keeps it for the gradient
    ],
)
def test_what_anybody_holds_is_not(hold):
    tensor = new()
    place = tensor.data_ptr()
    held = hold(tensor)
    del tensor
    gc.collect()
    others = [new() for _ in range(3)]
    assert place not in {other.data_ptr() for other in others}
    del held
    gc.collect()
    assert place in {other.data_ptr() for other in [*others, new()]}


def test_threads_never_get_the_same():
    wrong = []

    def work(number):
        for _ in range(200):
            mine = new()
            mine[:100] = number
            mine[-100:] = number
            wrong.extend({*mine[:100].tolist(), *mine[-100:].tolist()} - {number})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_little_is_kept_and_of_that_no_more_than_the_limit(monkeypatch):
    new(NUMBERS - 1)
    assert not memory._kept
    monkeypatch.setattr(memory, "KEPT", 4 * memory.SMALLEST)
    tensors = [new() for _ in range(10)]
    assert sum(kept.nbytes for kept in memory._kept) <= memory.KEPT
    assert len({tensor.data_ptr() for tensor in tensors}) == 10
    assert new(3 * NUMBERS).numel() == 3 * NUMBERS
    assert sum(kept.nbytes for kept in memory._kept) <= memory.KEPT


def test_other_types_and_places_get_their_own():
    for like in (torch.empty(0, dtype=torch.float64), torch.empty(0, device="meta")):
        made = memory.empty((NUMBERS,), like)
        assert made.dtype == like.dtype
        assert made.device == like.device
    assert not memory._kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_process_forked_while_the_lock_is_held_goes_on():
    with memory._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if new().numel() == NUMBERS else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
