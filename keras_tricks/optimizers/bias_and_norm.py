"""What weight decay spares by default."""

import keras


@keras.saving.register_keras_serializable(package="keras_tricks")
def bias_and_norm(variable: keras.Variable) -> bool:
    """Whether `variable` is a bias, or a gain or shift of a normalisation.

    That is one of one dimension at most, or of the name "bias", "gamma" or "beta". These hold too few numbers to
    overfit, and decay would pull gains towards 0: published recipes leave them out.

    Args:
        variable: A variable of a model.

    Example:
        ```python
        dense = keras.layers.Dense(3)
        dense.build((None, 4))
        assert [kt.optimizers.bias_and_norm(weight) for weight in dense.weights] == [False, True]
        ```

    Reference: [He et al., 2019](https://arxiv.org/abs/1812.01187), section 3.1
    """
    return len(variable.shape) <= 1 or variable.path.rpartition("/")[2] in ("bias", "gamma", "beta")
