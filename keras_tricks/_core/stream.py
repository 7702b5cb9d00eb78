"""Whose random numbers these are: a seed, a counter of calls that is saved with the model, and the salt of an owner.

`random.key(stream.next_state(), stream.salt)` is the key of the next call.
"""

import contextlib
import contextvars
import functools
import os
import random as python_random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import checks, host
from keras_tricks._core.config import Configured
from keras_tricks._core.ops import constant, from_host, host_array, is_torch
from keras_tricks._core.random import to_int32, words

Tensor = Any

_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A child that is forked while another thread draws would inherit a lock that nobody releases.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


# What stands for the states of streams, by their `id`, where functions are compiled that get them as arguments.
_given: contextvars.ContextVar[dict[int, Tensor]] = contextvars.ContextVar("_given", default={})  # noqa: B039 - never changed


@contextlib.contextmanager
def given_states(streams: Sequence["Stream"], states: Sequence[Tensor]) -> Iterator[None]:
    """Within it, the seeds of `streams` are read from `states`."""
    token = _given.set(_given.get() | {id(stream): state for stream, state in zip(streams, states, strict=True)})
    try:
        yield
    finally:
        _given.reset(token)


class Stream(keras.random.SeedGenerator):
    """The random numbers of one owner: call after call, the states from which `random.key` makes its keys.

    Keras tracks it like any `SeedGenerator` that is an attribute of a layer or model. In a worker process it is moved
    to a place of its own, so that no worker and no epoch repeats another: in a torch `DataLoader` by the worker's
    seed (`torch.manual_seed` makes that reproducible), in any other forked process by its id and the time.

    Args:
        seed: An integer in [0, 2**31), or None for a fresh stream (drawn from Python's `random`, which
            `keras.utils.set_random_seed` seeds).
        owner: The kind of owner, a class name: owners of different kinds draw independently.
        owner_name: The owner's name where it was given explicitly: that sets it apart from its kind.
    """

    def __init__(self, seed: int | None, owner: str, owner_name: str | None = None):
        checks.seed("seed", seed)
        self.seed = python_random.randrange(2**31) if seed is None else int(seed)
        super().__init__(self.seed)
        self.owner = owner
        self.owner_name = owner_name
        self.home = os.getpid()
        self.worker_calls = 0

    @property
    def salt(self) -> tuple[int, int]:
        """The two words that say whose numbers these are."""
        return words(self.owner if self.owner_name is None else f"{self.owner}/{self.owner_name}")

    def seed_word(self) -> Tensor:
        """The seed, int32, which is saved with the stream and may come from a file."""
        state: Tensor = _given.get().get(id(self), self.state)
        return ops.cast(state[0], "int32")

    def next_state(self) -> Tensor:
        """`[seed, call number]` of this call, int32, and one call further for the next."""
        place = self.worker_place()
        with _lock:
            if place is None:
                # Where nobody has to wait for them, two numbers are sooner counted one by one.
                if (known := _numbers(self.state.value)) is not None:
                    seed, call = known.tolist()
                    self.state.assign(_given_back(np.array([seed, call + 1], known.dtype)))
                    return _given_back(np.array([to_int32(seed), to_int32(call)], "int32"))
                # As `next`, which sends the increment to the accelerator at each call.
                state = ops.cast(self.state, "int32") * 1
                one_call = np.array([0, 1], keras.backend.standardize_dtype(self.state.dtype))
                self.state.assign(self.state + constant(one_call, state))
                return state
            # A worker counts in its own memory: the variable may be an accelerator's, which a fork cannot reach.
            call, self.worker_calls = self.worker_calls, self.worker_calls + 1
        return ops.convert_to_tensor(np.array([to_int32(self.seed + place[0]), to_int32(call + place[1])], "int32"))

    def worker_place(self) -> tuple[int, int] | None:
        """What this process adds to `[seed, call number]`: None at home, two words of its own in a worker."""
        torch_data = sys.modules.get("torch.utils.data")
        worker = torch_data.get_worker_info() if torch_data else None
        if worker is not None:
            return words(f"worker {worker.seed}")
        return None if os.getpid() == self.home else _process_words(os.getpid())

    def state_to_save(self) -> np.ndarray:
        """`[seed, call number]` of the next call, int64 whatever the backend."""
        return np.asarray(ops.convert_to_numpy(ops.convert_to_tensor(self.state))).astype("int64")

    def load_state(self, state: Any) -> None:
        """Continues where `state_to_save` was asked, on this backend or another."""
        seed, call = (to_int32(int(number)) for number in np.asarray(state))
        self.seed = seed
        self.state.assign(np.array([seed, call]).astype(keras.backend.standardize_dtype(self.state.dtype)))


class RandomLayer(Configured, keras.layers.Layer):
    """A layer that owns a `stream`: keyed by its seed, its class and its name when that was given explicitly.

    The call counter travels with the layer's weights, so a saved and loaded model continues its stream.

    Args:
        seed: An integer in [0, 2**31), or None for a fresh stream.
        **kwargs: `name`, `dtype` and whatever else `keras.layers.Layer` takes.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = checks.seed("seed", seed)
        self.stream = Stream(seed, type(self).__name__, kwargs.get("name"))

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments, and whether the name in them was given or made up."""
        return super().get_config() | {"automatic_name": self.stream.owner_name is None}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "RandomLayer":
        """The layer that `get_config` described, with the same stream: a made-up name still does not count."""
        arguments = {name: value for name, value in config.items() if name != "automatic_name"}
        layer = super().from_config(arguments, custom_objects)
        if config.get("automatic_name", False):
            layer.stream.owner_name = None
        return layer

    def save_own_variables(self, store: Any) -> None:
        """Saves the stream beside the weights, which Keras itself would not."""
        super().save_own_variables(store)
        store["stream"] = self.stream.state_to_save()

    def load_own_variables(self, store: Any) -> None:
        """Restores the weights, and the stream where the file has one."""
        if "stream" in store.keys():  # noqa: SIM118 - an HDF5 store is no dictionary
            self.stream.load_state(store["stream"])
        super().load_own_variables({name: store[name] for name in store.keys() if name != "stream"})  # noqa: SIM118


def _numbers(state: Tensor) -> np.ndarray | None:
    """A state as an array, if it is in the host's memory."""
    return host_array(state) if is_torch(state) else host.value(state)


def _given_back(numbers: np.ndarray) -> Any:
    """What JAX and TensorFlow take as it is, and torch as a tensor."""
    return from_host(numbers) if keras.backend.backend() == "torch" else numbers


@functools.cache
def _process_words(process: int) -> tuple[int, int]:
    return words(f"process {process} {time.time_ns()}")
