"""What all wrappers share: they stand around any optimizer, and fill in what happens before and after its update."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.config import Configured, constructor_arguments
from keras_tricks.optimizers._state import Tensor, Unowned, WithSlots, as_written, dense, keys, to_host


class OptimizerWrapper(Configured, WithSlots):
    """Wraps any Keras optimizer, or another wrapper, and works wherever that optimizer does.

    A trick fills in one or more of:

    - `before_update(gradients, variables) -> gradients`: only variables that have a gradient come by; gradients are
      dense and not scaled. Under the inner optimizer's `gradient_accumulation_steps` it sees each batch's gradients.
    - `after_update(variables)`: once for each update of the weights, with all variables the optimizer was built on.
      Batches that only accumulate, and steps that loss scaling skips, do not call it.
    - `create_state(variables)`: makes the trick's own variables, with `self.add_variable` or `self.add_slots`. They
      are saved with the model. State that must start as a copy of the weights has to take it at the first update:
      weights may be loaded after building.
    - `update(gradients, variables)`: what happens in between, for a trick that must decide whether or by whom the
      weights are moved. By default the inner optimizer moves them.

    Inside these, choose with `ops.where`, never with a Python `if` on a tensor, and write with `self.assign`. Values
    come from `ops.convert_to_tensor(variable)`; on TensorFlow and torch that is the live buffer, so keep an
    `ops.copy` of what must outlast an assignment, and on JAX never assign one variable's own value to another.

    The learning rate (number or schedule), `iterations` (which count updates), `finalize_variable_values`,
    `exclude_from_weight_decay` and the fixed loss scale are the inner optimizer's.

    Args:
        inner_optimizer: The optimizer that is wrapped, or its name. A `LossScaleOptimizer` belongs around a wrapper,
            not inside; Keras puts it there by itself under `mixed_float16`.
        name: The wrapper's name; made from the class by default.

    Raises:
        ValueError: if `inner_optimizer` is not an optimizer.

    Example:
        ```python
        class SignOfGradients(kt.optimizers.OptimizerWrapper):
            def before_update(self, gradients, variables):
                return [keras.ops.sign(gradient) for gradient in gradients]


        model.compile(SignOfGradients(keras.optimizers.SGD(0.01)), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```
    """

    keeps_weights = False  # whether its state is made of weights, which nothing may change behind its back

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer | str, name: str | None = None):
        super().__init__(learning_rate=0.0, name=name)
        if isinstance(inner_optimizer, str):
            inner_optimizer = keras.optimizers.get(inner_optimizer)
        if not isinstance(inner_optimizer, keras.optimizers.Optimizer):
            raise checks.fail("inner_optimizer", "a Keras optimizer", inner_optimizer)
        if isinstance(inner_optimizer, keras.optimizers.LossScaleOptimizer):
            raise checks.fail(
                "inner_optimizer", "an optimizer without loss scaling, which goes around", inner_optimizer
            )
        self.inner_optimizer = inner_optimizer
        self._built_on = Unowned()

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the trick's own variables."""

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients that the inner optimizer is to see."""
        return gradients

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Moves the weights."""
        self.inner_optimizer.apply(gradients, variables)

    def after_update(self, variables: list[keras.Variable]) -> None:
        """What follows an update of the weights."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Builds the inner optimizer, then the trick's state."""
        if self.built:
            return
        variables = list(variables)
        self.inner_optimizer.build(variables)
        super().build(variables)
        self._built_on = Unowned(variables)
        self._places = {key: place for place, variable in enumerate(variables) for key in keys(variable)}
        self.create_state(variables)

    def place_of(self, variable: keras.Variable) -> int:
        """The number of `variable` among those the optimizer was built on."""
        return self._places[id(variable)]

    def part_of_rate(self, variable: keras.Variable) -> Any:
        """By what the wrappers scale the coming update of `variable`: 1, a number, or a scalar tensor."""
        inner = self.inner_optimizer
        return inner.part_of_rate(variable) if isinstance(inner, OptimizerWrapper) else 1.0

    @as_written
    def apply(
        self, grads: Sequence[Tensor | None], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """One step: `before_update`, `update`, and `after_update` if the weights were updated."""
        if trainable_variables is None:
            trainable_variables = self._built_on.items
        gradients, variables = list(grads), list(trainable_variables)
        if not self.built:
            self.build(variables)
        if len(gradients) != len(variables):
            raise ValueError(f"There must be one gradient for each variable. Received: {len(gradients)} gradients for "
                             f"{len(variables)} variables.")  # fmt: skip
        if type(self).before_update is not OptimizerWrapper.before_update:
            gradients = self._transformed(gradients, variables)
        if self.updates_every_time:
            self.update(gradients, variables)
            self.after_update(self._built_on.items)
        else:
            iterations = ops.copy(ops.convert_to_tensor(self.iterations))
            self.update(gradients, variables)
            self._after_update_if(ops.not_equal(ops.convert_to_tensor(self.iterations), iterations))

    def _transformed(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> list[Tensor | None]:
        present = [index for index, gradient in enumerate(gradients) if gradient is not None]
        seen: list[Tensor] = dense(gradients[index] for index in present)
        scale = self.loss_scale_factor
        if scale is not None:
            seen = [gradient / scale for gradient in seen]
        seen = self.before_update(seen, [variables[index] for index in present])
        for index, gradient in zip(present, seen, strict=True):
            gradients[index] = gradient if scale is None else gradient * scale
        return gradients

    def _after_update_if(self, updated: Tensor) -> None:
        variables = self._built_on.items
        if keras.backend.backend() != "jax":
            ops.cond(updated, lambda: self.after_update(variables), lambda: None)
            return
        # JAX's branches cannot assign: do it, then put back what must not have changed. Its arrays are immutable.
        touched = [*self.variables, *variables]
        before = [variable.value for variable in touched]
        self.after_update(variables)
        for variable, value in zip(touched, before, strict=True):
            if variable.value is not value:
                variable.assign(ops.where(updated, variable.value, value))

    @property
    def updates_every_time(self) -> bool:
        """Whether each `apply` is an update of the weights; where it is not, `iterations` tells which are."""
        return updates_every_time(self.inner_optimizer)

    @property
    def own_variables(self) -> list[keras.Variable]:
        """The wrapper's variables without the inner optimizer's."""
        return super().variables

    @property
    def variables(self) -> list[keras.Variable]:
        """The wrapper's variables, then the inner optimizer's."""
        return self.own_variables + self.inner_optimizer.variables

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """The inner optimizer's count of updates."""
        return self.inner_optimizer.iterations

    @property
    def loss_scale_factor(self) -> float | None:
        """The inner optimizer's."""
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        # Keras' constructor sets it before there is an inner optimizer.
        if "inner_optimizer" in vars(self):
            self.inner_optimizer.loss_scale_factor = value

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss as the inner optimizer wants it for the gradients."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """What the inner optimizer does to the weights at the end of `fit`."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Tells the inner optimizer, which is the one that decays."""
        self.inner_optimizer.exclude_from_weight_decay(var_list=var_list, var_names=var_names)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assigns `weights` to `variables`, one to one."""
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Saves the wrapper's variables; Keras finds the inner optimizer and saves its own beside them."""
        for index, variable in enumerate(self.own_variables):
            store[str(index)] = to_host(variable)

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        saved = [key for key in store.keys() if key.isdigit()]  # noqa: SIM118 - an h5 store iterates otherwise
        if len(saved) != len(self.own_variables):
            warnings.warn(
                f"Nothing was loaded into optimizer '{self.name}': it has {len(self.own_variables)} variables of its "
                f"own, and {len(saved)} were saved.",
                stacklevel=2,
            )
            return
        for index, variable in enumerate(self.own_variables):
            variable.assign(store[str(index)])

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments: of what Keras' base saves, only the name means something for a wrapper."""
        arguments = constructor_arguments(type(self))
        return {name: value for name, value in super().get_config().items() if name in arguments}


def updates_every_time(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether each `apply` of `optimizer` is an update of the weights."""
    if isinstance(optimizer, OptimizerWrapper):
        return optimizer.updates_every_time
    return not optimizer.gradient_accumulation_steps and not hasattr(optimizer, "inner_optimizer")
