"""Values that can be looked at now, without waiting for an accelerator."""

from typing import Any

import keras
import numpy as np


def value(tensor: Any) -> np.ndarray | None:
    """`tensor` as a NumPy array if its values are in the host's memory; None for a traced or an accelerator's one."""
    if isinstance(tensor, np.ndarray):
        return tensor
    if _is_on_accelerator(tensor):
        return None
    try:
        if keras.backend.backend() == "tensorflow":  # in one step, which Keras' own does in three
            return np.asarray(tensor.numpy())
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except Exception:  # each backend has its own error for a tensor that has no values yet
        return None


def _is_on_accelerator(tensor: Any) -> bool:
    if keras.backend.backend() == "torch":
        return getattr(getattr(tensor, "device", None), "type", "cpu") != "cpu"
    if keras.backend.backend() == "jax":
        devices = getattr(tensor, "devices", None)
        try:
            return devices is not None and any(device.platform != "cpu" for device in devices())
        except Exception:  # a tracer has no device
            return True
    return "CPU" not in str(getattr(tensor, "device", "CPU")).upper()
