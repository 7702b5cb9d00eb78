"""The loss of a batch, for whoever takes its gradient outside of Keras' own step."""

import inspect
from typing import Any

import keras

Tensor = Any


def compiled_loss(model: keras.Model, data: Any, training: bool = True) -> Tensor:
    """What the step of `fit` would minimise, penalties included: metrics are not looked at."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    outputs = model(x, training=training)
    # As Keras has it: whoever writes a `compute_loss` may leave `training` out.
    knows_training = "training" in inspect.signature(model.compute_loss).parameters
    arguments = {"training": training} if knows_training else {}
    return model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=sample_weight, **arguments)


def check_means(model: keras.Model, argument: str) -> None:
    """Refuses compiled losses of which the parts of a batch do not make the whole."""
    for loss in keras.tree.flatten(getattr(model, "loss", None)):
        check_mean(loss, argument)


def check_mean(loss: Any, argument: str) -> None:
    """Refuses a loss that is no mean over the samples."""
    reduction = getattr(loss, "reduction", None)
    if reduction not in (None, "none", "mean", "sum_over_batch_size"):
        raise ValueError(
            f"`{argument}` needs losses that are means over the batch (sum_over_batch_size). "
            f"Received: reduction={reduction!r} of {loss}"
        )
