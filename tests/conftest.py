"""What every test shares: one backend per process (`KERAS_BACKEND`), fixed seeds, the float32 policy."""

import functools
import gc
import importlib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two suites share two cores: a thread that waits must not spin

import keras
import pytest

from keras_tricks._core import compiled

BACKEND = keras.backend.backend()
# Compiled and not, results differ in their last digit, and most calls here are of a kind of their own: operations run
# one by one, unless a test is about what is compiled and asks for it.
AS_USERS_HAVE_IT = dict(compiled.CALLS_BEFORE)
compiled.CALLS_BEFORE.update(dict.fromkeys(compiled.CALLS_BEFORE, 10**9))


@pytest.fixture(autouse=True)
def same_start():
    """Every test starts from the same seeds and leaves the global dtype policy as it was."""
    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True)
def nothing_left(same_start):
    """What a test leaves is collected at once, and what stays is never looked at again.

    An iterator of `tf.data` waits for a thread when it ends, which sleeps the longer the longer it has lived: up to 40
    seconds where the collector found it late.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def backend() -> str:
    """The name of the backend under test."""
    return BACKEND


@pytest.fixture
def tracing_compiler(backend, monkeypatch):
    """Under `jit_compile=True` torch traces what it compiles, and makes no machine code, which would take a minute."""
    if backend == "torch":
        torch = importlib.import_module("torch")
        torch.compiler.reset()  # what earlier tests had traced counts towards the limit of its attempts
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
