"""Learning rates that differ from layer to layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_tricks._core import checks
from keras_tricks._core.moving import schedule_or_number
from keras_tricks.optimizers import _patterns
from keras_tricks.optimizers._multiplied import MultipliedUpdates


class LayerwiseRates(MultipliedUpdates):
    """Multiplies the learning rate of some variables, by patterns on their path or by their depth.

    What the inner optimizer does to a variable, weight decay and all, is multiplied: the same as another learning rate,
    for any optimizer, momentum included. A schedule may be the multiplier; where it is 0, the variable is frozen,
    and its slots wait.

    With `layer_decay`, the layers of the head move at the full rate, and each layer towards the stem at `layer_decay`
    times that of the one after it. Layers are counted by their kernels (variables of two dimensions and more, in the
    order of `model.trainable_variables`); gains, shifts and biases go with the kernel before them.

    Helps when: a trained model is fine-tuned: what is general is near the stem and should change least, say the papers.
    Hurts when: training starts from scratch, or the model is small: with `layer_decay=0.5` we saw 51.2 % on few images
    of new classes of CIFAR-10, at one rate 53.7 % (`tools/experiments/unfreezing.py`, three seeds). Cost: one pass over
    the variables whose multiplier is not 1.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name; one that is not
            built yet, and keeps no average of the weights (put `WeightAverage` and `Lookahead` around).
        rates: A dict from patterns, which are searched for in a variable's `path`, to multipliers: numbers not below 0,
            or schedules over the updates. The first pattern that matches counts.
        default: The multiplier of all others, a number not below 0 or a schedule.
        layer_decay: None, or the factor from each layer to the one before it, above 0, up to 1; 0.65 to 0.75 for
            transformers. In place of `rates`.
        groups: With `layer_decay`: None, or patterns, from the stem to the head, that say what a layer is, such as one
            for each block. Variables that none matches move as the head does.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is built or keeps weights, or, when it is built, a
            pattern matches no variable.

    Example:
        ```python
        model.compile(kt.optimizers.LayerwiseRates("adamw", {"dense": 1.0, "bias": 2.0}, default=0.1), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Howard & Ruder, 2018](https://arxiv.org/abs/1801.06146), section 3.2;
        [Clark et al., 2020](https://arxiv.org/abs/2003.10555) for the factor from layer to layer
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        rates: Mapping[str, Any] | None = None,
        default: Any = 1.0,
        layer_decay: float | None = None,
        groups: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        if (rates is None) == (layer_decay is None):
            raise checks.fail("rates", "a dict of multipliers where there is no `layer_decay`, and else None", rates)
        if rates is not None and not isinstance(rates, Mapping):
            raise checks.fail("rates", "a dict from patterns to multipliers", rates)
        self.rates = None if rates is None else {
            _patterns.pattern("rates", key): schedule_or_number("rates", value) for key, value in rates.items()
        }  # fmt: skip
        self.default = schedule_or_number("default", default)
        if layer_decay is not None and self.default != 1.0:
            raise checks.fail("default", "left out where there is `layer_decay`", default)
        self.layer_decay = None if layer_decay is None else checks.positive_rate("layer_decay", layer_decay)
        if groups is not None and layer_decay is None:
            raise checks.fail("groups", "None where there is no `layer_decay`", groups)
        self.groups = None if groups is None else _patterns.patterns("groups", groups)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Finds the layers first."""
        if not self.built:
            _patterns.check_found("rates", self.rates or (), variables)
            _patterns.check_found("groups", self.groups or (), variables)
            self._depths = self._found_depths(list(variables))
        super().build(variables)

    def multiplier(self, variable: keras.Variable, place: int) -> Any:
        """That of the first pattern that matches, or of the variable's depth."""
        if self.layer_decay is not None:
            return self.layer_decay ** self._depths[place]
        found = (value for key, value in (self.rates or {}).items() if _patterns.matches([key], variable))
        return next(found, self.default)

    def _found_depths(self, variables: list[keras.Variable]) -> list[int]:
        """How many layers stand between each variable and the head."""
        if self.groups is not None:
            heights = [
                next((height for height, one in enumerate(self.groups) if _patterns.matches([one], variable)), None)
                for variable in variables
            ]
            return [0 if height is None else len(self.groups) - height for height in heights]
        kernels = [place for place, variable in enumerate(variables) if len(variable.shape) > 1]
        layers = [_layer_of(variable) for variable in variables]
        # The first kernel of each layer begins it: a layer may have several.
        begins = {layers[place] for place in kernels}
        number, counted, numbers = 0, set(), []
        for layer in layers:
            if layer in begins and layer not in counted:
                counted.add(layer)
                number += 1
            numbers.append(max(number, 1))
        return [max(number, 1) - own for own in numbers]


def _layer_of(variable: keras.Variable) -> str:
    return variable.path.rpartition("/")[0] or variable.path
