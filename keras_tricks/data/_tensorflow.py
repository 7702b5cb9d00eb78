"""Pipelines of `tf.data`."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Passes over the data are this far apart in call numbers, modulo 2**32: the golden ratio's share, which keeps the
# first passes, however many, as far from each other as possible.
PASS_STRIDE = 0x9E3779B9 - 2**32


def map_numbered(
    dataset: tf.data.Dataset, function: Callable[[Any, tf.Tensor], Any], num_parallel_calls: int | None
) -> tf.data.Dataset:
    """`function(batch, call)` of each batch, with call numbers that depend on the pass and the position alone."""
    passes = tf.Variable(0, dtype="int32", trainable=False)

    def number_batches(_: tf.Tensor) -> tf.data.Dataset:
        first = (passes.assign_add(1) - 1) * PASS_STRIDE
        return dataset.enumerate().map(lambda index, batch: (first + tf.cast(index, "int32"), batch))

    numbered = tf.data.Dataset.from_tensors(0).flat_map(number_batches)
    order = {} if num_parallel_calls is None else {"deterministic": True}
    # An augmentation has no control flow on tensors: converting it would cost seconds for each pipeline.
    as_written = tf.autograph.experimental.do_not_convert(lambda call, batch: function(batch, call))
    mapped = numbered.map(as_written, num_parallel_calls=num_parallel_calls, **order)
    return mapped.apply(tf.data.experimental.assert_cardinality(dataset.cardinality()))
