"""TensorBoard's files, which TensorFlow writes whatever the backend."""

from collections.abc import Mapping

import tensorflow as tf


class Summary:
    """A folder of TensorBoard's.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: str):
        self._writer = tf.summary.create_file_writer(folder)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Adds `numbers` at `step`."""
        with self._writer.as_default():
            for name, number in numbers.items():
                tf.summary.scalar(name, number, step=step)

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()
