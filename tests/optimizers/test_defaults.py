"""The promised names and their defaults: recipes are written by them."""

import inspect
import math

import pytest

from keras_tricks import optimizers, training

PROMISED = {
    optimizers.LARS: {"momentum": 0.9, "weight_decay": 0.0, "trust_coefficient": 0.001, "epsilon": 1e-8},
    optimizers.LAMB: {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6, "weight_decay": 0.0, "trust_clip": None},
    optimizers.SGD: {"decay": "coupled"},
    optimizers.AdamW: {"decay": "rate"},
    optimizers.WeightAverage: {"decay": 0.999, "kind": "ema", "every": 1, "start": 0, "warmup": True}
    | {"warmup_gamma": 1.0, "warmup_power": 2 / 3},
    optimizers.LayerwiseRates: {"default": 1.0, "layer_decay": None},
    optimizers.DecoupledPenalty: {"pattern": None},
    optimizers.GradientNoise: {"eta": 0.01, "gamma": 0.55},
    optimizers.AdaptiveClipping: {"clipping": 0.01, "epsilon": 1e-3, "exclude": None},
    optimizers.Lookahead: {"sync_period": 6, "slow_step_size": 0.5, "momentum": "keep"},
    training.SAM: {"rho": 0.05, "adaptive": False, "every": 1},
    training.fit_lbfgs: {"loss": None, "max_iterations": 200, "tolerance": 1e-8},
}


@pytest.mark.once("signatures are the same everywhere")
@pytest.mark.parametrize("promised", PROMISED, ids=lambda promised: promised.__name__)
def test_defaults_are_those_that_were_promised(promised):
    found = inspect.signature(promised).parameters
    for name, value in PROMISED[promised].items():
        default = found[name].default
        assert math.isclose(default, value) if isinstance(value, float) else default == value, name
