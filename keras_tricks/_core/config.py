"""The constructor is the configuration: `get_config` and `from_config` are read off the signature."""

import inspect
from typing import Any

import keras

PACKAGE = "keras_tricks"


def constructor_arguments(cls: type) -> dict[str, inspect.Parameter]:
    """The named constructor arguments of `cls`, its own first, then those its `**kwargs` hand on to our bases."""
    arguments: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if base is Configured or "__init__" not in vars(base):
            continue
        if not issubclass(base, Configured):
            break
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        arguments |= {p.name: p for p in named if p.name not in arguments}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return arguments


class Configured:
    """Mixin, first among the bases: stores nothing itself, saves every constructor argument by its own name.

    Each argument must be stored under its own name (`self.alpha = alpha`). Classes of this package register
    themselves with Keras as `keras_tricks>Name`, so a saved model finds them again.
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] == PACKAGE and not cls.__name__.startswith("_"):
            keras.saving.register_keras_serializable(package=PACKAGE)(cls)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments, serialised, on top of what a Keras base saves."""
        inherited: dict[str, Any] = getattr(super(), "get_config", dict)()
        arguments = constructor_arguments(type(self))
        return inherited | {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The object that `get_config` described."""
        arguments = constructor_arguments(cls)
        restored = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            if name in arguments
            else value
            for name, value in config.items()
        }
        return cls(**restored)
