"""Gradients and weights, at each update."""

from keras_tricks.optimizers._base import OptimizerWrapper
from keras_tricks.optimizers._number import Number
from keras_tricks.optimizers._optimizer import Optimizer
from keras_tricks.optimizers.accumulate import Accumulate
from keras_tricks.optimizers.adamw import AdamW
from keras_tricks.optimizers.adaptive_clipping import AdaptiveClipping
from keras_tricks.optimizers.bias_and_norm import bias_and_norm
from keras_tricks.optimizers.decoupled_penalty import DecoupledPenalty
from keras_tricks.optimizers.freeze import Freeze
from keras_tricks.optimizers.global_norm_clipping import GlobalNormClipping
from keras_tricks.optimizers.gradient_centralization import GradientCentralization
from keras_tricks.optimizers.gradient_noise import GradientNoise
from keras_tricks.optimizers.gradual_unfreezing import GradualUnfreezing
from keras_tricks.optimizers.lamb import LAMB
from keras_tricks.optimizers.lars import LARS
from keras_tricks.optimizers.layerwise_rates import LayerwiseRates
from keras_tricks.optimizers.lookahead import Lookahead
from keras_tricks.optimizers.normalized_decay import normalized_decay
from keras_tricks.optimizers.sgd import SGD
from keras_tricks.optimizers.switch_optimizer import SwitchOptimizer
from keras_tricks.optimizers.weight_average import WeightAverage

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "Accumulate",
    "AdamW",
    "AdaptiveClipping",
    "DecoupledPenalty",
    "Freeze",
    "GlobalNormClipping",
    "GradientCentralization",
    "GradientNoise",
    "GradualUnfreezing",
    "LayerwiseRates",
    "Lookahead",
    "Number",
    "Optimizer",
    "OptimizerWrapper",
    "SwitchOptimizer",
    "WeightAverage",
    "bias_and_norm",
    "normalized_decay",
]
