"""Freezing a part of a model."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_tricks.optimizers import _patterns
from keras_tricks.optimizers._multiplied import MultipliedUpdates


class Freeze(MultipliedUpdates):
    """Leaves some variables as they are: no update, no decay, and slots that wait.

    What `layer.trainable = False` does to the weights, without compiling a model anew, and by patterns. The statistics
    of a BatchNormalization are no weights: they move on; freeze the layer itself where they must not.

    Helps when: a new head is trained on a trained body. Cost: none; on JAX and TensorFlow gradients that nobody uses
    are not computed, on torch they are (there `layer.trainable = False` saves that time).

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name; one that is not
            built yet, and keeps no average of the weights (put `WeightAverage` and `Lookahead` around).
        pattern: What is searched for in a variable's `path`: a regular expression, or a list of them.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if `pattern` is no regular expression, `inner_optimizer` is built or keeps weights, or, when it is
            built, a pattern matches nothing or everything.

    Example:
        ```python
        body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1)])
        body.compile(kt.optimizers.Freeze("sgd", "body/"), "mse")
        before = body.get_weights()
        body.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
        assert [(a == b).all() for a, b in zip(before, body.get_weights())][:2] == [True, True]
        ```
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer | str, pattern: str | Sequence[str], **kwargs: Any):
        super().__init__(inner_optimizer, **kwargs)
        self.pattern = _patterns.patterns("pattern", pattern)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Looks for the patterns first."""
        _patterns.check_found("pattern", self.pattern, variables)
        super().build(variables)

    def multiplier(self, variable: keras.Variable, place: int) -> float:
        """0 where a pattern matches."""
        return 0.0 if _patterns.matches(self.pattern, variable) else 1.0
