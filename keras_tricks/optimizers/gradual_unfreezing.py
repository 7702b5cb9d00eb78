"""Gradual unfreezing."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import KerasSchedule
from keras_tricks.optimizers import _patterns
from keras_tricks.optimizers._multiplied import MultipliedUpdates


class GradualUnfreezing(MultipliedUpdates):
    """Thaws a model part by part, inside one `fit`.

    Until its update has come, a part is frozen: no update, no decay, and slots that wait; then it trains as if it had
    always been there, with fresh slots. The counter of updates is shared and goes on, so Adam does not correct fresh
    slots as it does at its own beginning: with the usual betas the steps of a part that was just thawed are up to 6.5
    times as large as its rate says, for some hundred updates. `rise` softens that. The statistics of a
    BatchNormalization are no weights: they move from the start.

    Helps when: a large trained model is fine-tuned on few samples, says the paper, of language models. On small
    networks we saw no gain: 53.1 % on few images of new classes of CIFAR-10, all at once 53.7 %; digits 85.5 % both
    (`tools/experiments/unfreezing.py`, three seeds). Hurts when: the new task is far from the old.
    Cost: none for a part that is thawed from the start; one pass over the others and their slots (on torch's processor
    only while they are frozen). Gradients are computed for all.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name; one that is not
            built yet, and keeps no average of the weights (put `WeightAverage` and `Lookahead` around).
        stages: A list of pairs `(pattern, from_update)`: variables in whose `path` the pattern is found train from that
            update on (the first is 0). The first pattern that matches counts; the others train from the start.
        rise: Updates over which the steps of a thawed part grow in a straight line to their full size; 0 for at once.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if `stages` is no such list, `inner_optimizer` is built or keeps weights, or, when it is built, a
            pattern matches nothing.

    Example:
        ```python
        deep = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="stem"), keras.layers.Dense(1)])
        deep.compile(kt.optimizers.GradualUnfreezing("adam", [("stem", 2)]), "mse")
        before = deep.get_weights()[0]
        deep.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=4, verbose=0)  # updates 0 and 1
        assert (deep.get_weights()[0] == before).all()
        deep.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=4, verbose=0)  # 2 and 3
        assert (deep.get_weights()[0] != before).any()
        ```

    Reference: [Howard & Ruder, 2018](https://arxiv.org/abs/1801.06146), section 3.3
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        stages: Sequence[tuple[str, int]],
        rise: int = 0,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        if not isinstance(stages, (list, tuple)) or not all(
            isinstance(stage, (list, tuple)) and len(stage) == 2 and checks.is_integer(stage[1]) and stage[1] >= 0
            for stage in stages
        ):
            raise checks.fail("stages", "a list of pairs (pattern, update not below 0)", stages)
        self.stages = [(_patterns.pattern("stages", one), int(update)) for one, update in stages]
        self.rise = checks.count("rise", rise, minimum=0)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Looks for the patterns first."""
        _patterns.check_found("stages", [one for one, _ in self.stages], variables)
        # One object for each stage, so that its variables are one group.
        self._multipliers = [_From(update, self.rise) if update else 1.0 for _, update in self.stages]
        super().build(variables)

    def multiplier(self, variable: keras.Variable, place: int) -> Any:
        """That of the first stage whose pattern matches."""
        stages = zip(self.stages, self._multipliers, strict=True)
        return next((one for (pattern, _), one in stages if _patterns.matches([pattern], variable)), 1.0)


class _From(KerasSchedule):
    """0 until `update`, then rising to 1 over `rise` updates."""

    def __init__(self, update: int, rise: int):
        self.update = update
        self.rise = rise

    def __call__(self, step: Any) -> Any:
        since = ops.cast(ops.convert_to_tensor(step), "float32") - self.update + 1.0
        return ops.clip(since / (self.rise + 1.0), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"update": self.update, "rise": self.rise}
