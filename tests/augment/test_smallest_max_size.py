import numpy as np

import keras_tricks as kt
from tests.augment.photographs import photographs
from tests.contracts.deterministic import DeterministicContract
from tests.running import to_numpy


class TestSmallestMaxSize(DeterministicContract):
    cls = kt.augment.SmallestMaxSize
    arguments = {"max_size": 7}
    box_arguments = {"max_size": 60}
    box_tolerance = 1.01
    bad_arguments = [({"max_size": 2.5}, "`max_size`.*Received: max_size=2.5")]

    def test_it_is_resize_by_another_name(self):
        images = photographs()
        np.testing.assert_array_equal(
            to_numpy(kt.augment.SmallestMaxSize(50)(images)), to_numpy(kt.augment.Resize(50)(images))
        )
