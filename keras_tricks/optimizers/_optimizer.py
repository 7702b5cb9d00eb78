"""How our own optimizers work: numbers that move, weight decay spelled out, one update for the whole list."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.config import Configured, constructor_arguments
from keras_tricks._core.moving import KerasSchedule, peak_of, schedule_or_number, value_at
from keras_tricks.optimizers import _each, _patterns
from keras_tricks.optimizers._number import Number, plain
from keras_tricks.optimizers._state import (
    Tensor,
    Unowned,
    WithSlots,
    as_written,
    check_replicas,
    dense,
    is_overwritten,
    keys,
)
from keras_tricks.optimizers.bias_and_norm import bias_and_norm

Exclusion = Callable[[keras.Variable], bool] | str | Sequence[str] | None


class _WeightDecay(Number):
    # Keras decays every variable, before the update and by the rate, if it finds a number here: it finds none.
    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return None if optimizer is not None and _is_hidden(optimizer) else super().__get__(optimizer, owner)

    def __set__(self, optimizer: Any, value: Any) -> None:
        if not _is_hidden(optimizer):
            super().__set__(optimizer, value)


def _is_hidden(optimizer: "Optimizer") -> bool:
    """Whether Keras' base is at work: its constructor, or its part of a step."""
    return bool(vars(optimizer).get("_keras_applies", True))


class Optimizer(Configured, WithSlots):
    """Base of the optimizers: a trick writes `update(gradients, variables, learning_rate)`.

    Rate, decay and momenta may be schedules, which are asked at each **update**: under `gradient_accumulation_steps`
    several batches make one. Clipping, loss scaling, accumulation, EMA and constraints are those of Keras' optimizers.
    Several replicas of TensorFlow are refused: there wrappers around Keras' own optimizers work.

    - `update` moves all `variables` at once; only those that have a gradient come by. A number that is declared as
      `momentum = Number()` in the class is read as `self.momentum`. Weight decay is done by the base.
    - `create_state(variables)` makes slots with `self.add_slots`; `self.beside(slots, variables)` finds them again.

    Args:
        learning_rate: A number not below 0, or a schedule.
        weight_decay: The strength of the decay: a number not below 0, or a schedule.
        decay: What `weight_decay` means, for a weight w, its gradient g, and the learning rate r.
            "coupled": `g + weight_decay * w` takes the place of g, and so passes through the momentum (L2);
            "rate": w is reduced by `r * weight_decay * w`, beside the update;
            "paper": w is reduced by `r / reference_rate * weight_decay * w`: the decay follows the shape of the
            schedule, and not the size of the rate.
        no_decay: The variables that are spared: a function from a variable to a bool, or patterns that are searched for
            in its `path`; None for none of them. A model with a function is only loaded if that is registered by
            `keras.saving.register_keras_serializable`, which a lambda cannot be.
        reference_rate: For `decay="paper"`; by default the `peak` of the schedule, or the number itself.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`,
            `loss_scale_factor`, `gradient_accumulation_steps` and `name`, as for `keras.optimizers.Optimizer`.

    Example:
        ```python
        class SignDescent(kt.optimizers.Optimizer):
            def update(self, gradients, variables, learning_rate):
                for gradient, variable in zip(gradients, variables, strict=True):
                    variable.assign(variable - learning_rate * keras.ops.sign(gradient))


        model.compile(SignDescent(kt.schedules.Cosine(0.01, total_steps=100)), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```
    """

    decays: tuple[str, ...] = ("coupled", "rate", "paper")  # what `decay` may be; "ratio" is up to the trick
    weight_decay = _WeightDecay()
    schedules_count_updates = True  # Keras' optimizers give theirs the number of batches

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: Any = 0.0,
        decay: str = "rate",
        no_decay: Exclusion = bias_and_norm,
        reference_rate: float | None = None,
        **kwargs: Any,
    ):
        rate = schedule_or_number("learning_rate", learning_rate)
        super().__init__(learning_rate=rate, **kwargs)
        self._rate = rate
        self._keras_applies = False
        self._excluded_keys: list[int] = []
        self._excluded_names: list[str] = []
        self._built_on, self._awaited, self._arrived = Unowned(), Unowned(), Unowned()
        self.weight_decay = 0.0 if weight_decay is None else weight_decay
        self.decay = checks.one_of("decay", decay, self.decays)
        self.no_decay = _patterns.choice("no_decay", no_decay)
        self.reference_rate = self._checked_reference(reference_rate)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the slots."""

    def update(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        """Moves the weights, by their gradients at a float32 `learning_rate`."""
        raise NotImplementedError

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the variables that belong to `variables`."""
        if self.built:
            return
        # Keras brings them each gradient several times there.
        check_replicas("Optimizers of keras_tricks work (and wrappers around Keras' own on several)")
        super().build(list(variables))
        self._built_on = Unowned(variables)
        self._places = {key: place for place, variable in enumerate(variables) for key in keys(variable)}
        self._decayed = frozenset(place for place, variable in enumerate(variables) if not self._is_spared(variable))
        self._has_narrow = any(variable.dtype not in ("float32", "float64") for variable in variables)
        self.create_state(list(variables))

    @as_written
    def apply(
        self, grads: Sequence[Tensor | None], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """One step of one batch: an update, unless it is only accumulated."""
        if trainable_variables is not None:
            self.build(trainable_variables)
        variables = self._built_on.items if trainable_variables is None else list(trainable_variables)
        gradients = dense(grads)
        pairs = zip(gradients, variables, strict=False)
        self._awaited = Unowned(v for gradient, v in pairs if gradient is not None and not is_overwritten(v))
        self._arrived = Unowned()
        self._keras_applies = True
        try:
            super().apply(gradients, trainable_variables)
        finally:
            self._keras_applies = False

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Any) -> None:
        """Keras brings the gradients one by one, in order: with the last one, all variables move."""
        self._arrived.items.append(gradient)
        variables = self._awaited.items
        if len(self._arrived.items) == len(variables):
            self._update_all(self._arrived.items, variables, ops.cast(ops.convert_to_tensor(learning_rate), "float32"))
            self._arrived = Unowned()

    def _update_all(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        if self._has_narrow:
            gradients = [_wide(gradient) for gradient in gradients]
        chosen, strength = self.decayed(variables), self.decay_strength()
        if chosen and strength is not None and self.decay != "ratio":
            gradients = self._decay(gradients, variables, chosen, learning_rate, strength)
        self.update(gradients, variables, learning_rate)

    def decayed(self, variables: list[keras.Variable]) -> list[int]:
        """The places of those among `variables` that `no_decay` does not spare."""
        return [place for place, variable in enumerate(variables) if self._places[id(variable)] in self._decayed]

    def decay_strength(self) -> Tensor | None:
        """The strength of the decay at the next update, float32; None where it is off for good."""
        declared = type(self).weight_decay
        return None if declared.is_off(self) else ops.cast(ops.convert_to_tensor(declared.now(self)), "float32")

    def _decay(
        self,
        gradients: list[Tensor],
        variables: list[keras.Variable],
        chosen: list[int],
        learning_rate: Tensor,
        strength: Tensor,
    ) -> list[Tensor]:
        """Reduces the `chosen` weights, or returns gradients that will."""
        weights = [variables[place] for place in chosen]
        if self.decay != "coupled":
            share = learning_rate / self.reference_rate if self.decay == "paper" else learning_rate
            _each.scale(weights, 1.0 - share * strength)
            return gradients
        penalised = dict(
            zip(chosen, _each.sums([gradients[place] for place in chosen], weights, strength), strict=True)
        )
        return [penalised.get(place, gradient) for place, gradient in enumerate(gradients)]

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """As in Keras' optimizers, before building, and not saved: `no_decay` is."""
        if self.built:
            raise ValueError("`exclude_from_weight_decay` must be called before the optimizer is built.")
        self._excluded_keys = [key for variable in var_list or () for key in keys(variable)]
        self._excluded_names = list(var_names or ())

    def _is_spared(self, variable: keras.Variable) -> bool:
        if not set(self._excluded_keys).isdisjoint(keys(variable)):
            return True
        return _patterns.matches(self._excluded_names, variable) or _patterns.is_chosen(self.no_decay, variable)

    def beside(self, slots: list[keras.Variable], variables: list[keras.Variable]) -> list[keras.Variable]:
        """The slots that belong to `variables`, of those that were made for all."""
        return [slots[self._places[id(variable)]] for variable in variables]

    def __setattr__(self, name: str, value: Any) -> None:
        # Keras would take a variable from elsewhere, which a number is set from, for one of the optimizer's own.
        declared = getattr(type(self), name, None)
        if isinstance(declared, Number):
            declared.__set__(self, value)
        else:
            super().__setattr__(name, value)

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update: a variable that may be set, or what the schedule says."""
        if isinstance(self._rate, KerasSchedule):
            return value_at(self._rate, self.iterations)
        return keras.optimizers.Optimizer.learning_rate.fget(self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        keras.optimizers.Optimizer.learning_rate.fset(self, value)
        if isinstance(value, KerasSchedule):
            self._rate = value

    @property
    def learning_rate_schedule(self) -> KerasSchedule | None:
        """The schedule that the rate follows, if it follows one."""
        return self._rate if isinstance(self._rate, KerasSchedule) else None

    def _checked_reference(self, reference_rate: Any) -> float | None:
        if reference_rate is not None or self.decay != "paper":
            return None if reference_rate is None else checks.positive("reference_rate", reference_rate)
        if isinstance(self._rate, KerasSchedule) and not hasattr(self._rate, "peak"):
            raise checks.fail(
                "reference_rate", 'a number above 0 for decay="paper" and a schedule without a `peak`', None
            )
        return checks.positive("reference_rate", peak_of(self._rate))

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments, with the numbers as they are now."""
        config = keras.optimizers.Optimizer.get_config(self)
        for name in constructor_arguments(type(self)):
            config[name] = keras.saving.serialize_keras_object(self._as_saved(name))
        return config

    def _as_saved(self, name: str) -> Any:
        if name == "learning_rate":
            return self._rate if isinstance(self._rate, KerasSchedule) else plain(self.learning_rate)
        declared = getattr(type(self), name, None)
        return declared.to_save(self) if isinstance(declared, Number) else getattr(self, name)


def _wide(gradient: Tensor) -> Tensor:
    return gradient if keras.backend.standardize_dtype(gradient.dtype) == "float64" else ops.cast(gradient, "float32")
