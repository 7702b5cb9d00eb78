"""Sharpness-aware minimization."""

import dataclasses

from keras_tricks._core import checks
from keras_tricks._core.config import Configured


@dataclasses.dataclass(frozen=True)
class SAM(Configured):
    """Sharpness-aware minimization: each update goes by the gradient at the worst weights nearby.

    For weights w and the gradient g of a batch, the same batch gives a second gradient at
    `w + rho * g / norm(g)`, with the norm over all weights; that one moves w. Adaptive (ASAM), with
    `T = abs(w) + 0.01`, it is taken at `w + rho * T**2 * g / norm(T * g)`: what scales the weights of a layer up and
    those of the next one down then changes nothing.

    Both gradients are of the same augmented batch, with the same masks of dropout. Metrics, the loss that is logged and
    BatchNormalization's statistics are those of the first pass; seeds move on once. Under the optimizer's
    `gradient_accumulation_steps` each batch takes its own two passes, and so does each piece of a
    `Trainer(micro_batch_size=...)`; under loss scaling a step whose first or second gradient overflows is left out.
    All trainable weights count for the norm and are raised, those too that `kt.optimizers.Freeze` then does not move:
    `layer.trainable = False` leaves them out.

    Helps when: the model fits its data, most of all with wrong labels among them. A small CNN on 300 of scikit-learn's
    digits, 60 epochs, three seeds: 95.2 % with `rho=0.1` and 95.6 % with ASAM at 1, plain steps 94.5 %; with 30 % of
    the labels drawn by chance 71.7 %, 72.3 % and 69.4 %, where twice the plain epochs gain nothing
    (`tools/experiments/sharpness.py`, `--wrong 0.3`). The papers report gains on CIFAR and ImageNet.
    Hurts when: the time is better spent on more epochs: the model does not fit its data yet. Twelve epochs on 6,000
    images of CIFAR-10: 56.8 %, plain steps 58.1 % (`tools/experiments/averages.py`).
    Cost: 1.4 (TensorFlow), 1.8 (JAX) to 2.1 times (torch) the time of a plain step of a small CNN on a processor, 1.1
    to 1.5 times with `every=2` (`tools/bench/two_pass.py`); two more copies of the weights.

    Args:
        rho: The radius to look within, above 0: 0.05 to 0.1; about ten times that if `adaptive`.
        adaptive: Whether the radius is relative to the size of each weight.
        every: Takes two passes at the updates 0, `every`, `2 * every`, ..., and a plain step at the others.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        trainer = kt.Trainer(model, sharpness=kt.training.SAM(rho=0.05))
        trainer.compile("sgd", kt.losses.Crossentropy(from_logits=True))
        trainer.fit(images, labels, verbose=0)
        ```

    Reference: [Foret et al., 2020](https://arxiv.org/abs/2010.01412); adaptive,
        [Kwon et al., 2021](https://arxiv.org/abs/2102.11600)
    """

    rho: float = 0.05
    adaptive: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        for name, value in {
            "rho": checks.positive("rho", self.rho),
            "adaptive": checks.one_of("adaptive", self.adaptive, (True, False)),
            "every": checks.count("every", self.every),
        }.items():
            object.__setattr__(self, name, value)
