import numpy as np
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestCutOut(AugmentationContract):
    cls = kt.augment.CutOut
    arguments = {"size": 5}
    bad_arguments = [
        ({"size": 0}, "`size` must be an integer or a pair.*Received: size=0"),
        ({"size": (3, 2.5)}, "`size`"),
        ({"fill": "white"}, "`fill`"),
    ]

    def test_what_is_covered_is_a_square_cut_off_at_the_border(self):
        covered = to_numpy(self.make(size=7)(np.full((500, 32, 24, 3), 9, "uint8"))) == 0
        for axis, size in ((2, 32), (1, 24)):
            lines = covered.any((axis, 3))
            starts, lengths = lines.argmax(1), lines.sum(1)
            inside = (starts > 0) & (starts + lengths < size)
            assert (lengths[inside] == 7).all()
            assert lengths.min() == 4
            assert (np.abs(np.diff(lines.astype(int), prepend=0, append=0)).sum(1) == 2).all()

    def test_the_centre_is_uniform_over_the_pixels(self):
        params = self.make(size=1).sample((100_000, 32, 24, 3), random.key((5, 0), (1, 2)))
        for name, size in (("rows", 32), ("columns", 24)):
            assert stats.chisquare(to_numpy(params[name])[:, 0].sum(0)).pvalue > 0.01
            assert to_numpy(params[name]).shape == (100_000, 1, size)

    def test_a_pair_is_height_and_width(self):
        covered = to_numpy(self.make(size=(2, 6))(np.full((200, 32, 32, 1), 9, "uint8")))[..., 0] == 0
        assert covered.any(2).sum(1).max() == 2
        assert covered.any(1).sum(1).max() == 6

    def test_the_fill_is_black_by_default_and_anything_that_random_erasing_takes(self):
        images = make_images()
        assert self.make().fill == "black"
        for fill in ("pixel", "color", (1, 2, 3)):
            assert (to_numpy(self.make(fill=fill)(images)) != images).any((1, 2, 3)).all()
