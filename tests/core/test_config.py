import json

import keras
import pytest

from keras_tricks._core.config import Configured, constructor_arguments


class Base(Configured):
    def __init__(self, rate=0.5, seed=None):
        self.rate, self.seed = rate, seed


class Trick(Base):
    def __init__(self, size, inner=None, **kwargs):
        super().__init__(**kwargs)
        self.size, self.inner = size, inner


class Closed(Base):
    """Takes none of its base's arguments."""

    def __init__(self, only=1):
        super().__init__()
        self.only = only


def test_the_arguments_are_those_of_the_class_and_of_the_bases_that_its_kwargs_reach():
    assert list(constructor_arguments(Trick)) == ["size", "inner", "rate", "seed"]
    assert list(constructor_arguments(Closed)) == ["only"]


def test_a_config_makes_an_equal_object_also_by_way_of_json():
    trick = Trick((3, 4), inner=keras.losses.Huber(0.3), rate=0.1)
    again = Trick.from_config(json.loads(json.dumps(trick.get_config())))
    assert list(again.size) == [3, 4]  # JSON has no tuples: constructors make them
    assert (again.rate, again.seed) == (0.1, None)
    assert again.inner.get_config() == trick.inner.get_config()


def test_an_argument_that_is_not_stored_under_its_name_is_an_error_when_saving():
    class Forgetful(Configured):
        def __init__(self, size):
            self.other = size

    with pytest.raises(AttributeError, match="size"):
        Forgetful(3).get_config()


def test_an_unknown_argument_in_a_config_is_an_error():
    with pytest.raises(TypeError, match="colour"):
        Base.from_config({"rate": 0.1, "colour": 1})


def test_classes_outside_the_package_are_not_registered_in_its_name():
    assert keras.saving.get_registered_object("keras_tricks>Trick") is None
