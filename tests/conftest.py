"""What every test shares: one backend per process (`KERAS_BACKEND`), fixed seeds, the float32 policy."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two suites share two cores: a thread that waits must not spin

import keras
import pytest

from keras_tricks._core import compiled

BACKEND = keras.backend.backend()
# Thousands of calls, few of them alike: on JAX too their operations run one by one, which all of them share. What a
# layer does that is compiled is for the tests to say that compile it.
compiled.CALLS_BEFORE["jax"] = compiled.CALLS_BEFORE["tensorflow"]


@pytest.fixture(autouse=True)
def same_start():
    """Every test starts from the same seeds and leaves the global dtype policy as it was."""
    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def backend() -> str:
    """The name of the backend under test."""
    return BACKEND
