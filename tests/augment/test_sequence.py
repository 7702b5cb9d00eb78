import json

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import CLASSES, MixingContract, make_images, make_labels
from tests.running import to_numpy


def members():
    return [
        kt.augment.RandomFlip(vertical=True, rate=1.0),
        kt.augment.CutMix(num_classes=CLASSES),
        kt.augment.MixUp(0.5),
    ]


class TestSequence(MixingContract):
    takes_masks = False
    cls = kt.augment.Sequence
    arguments = {}
    bad_arguments = [
        ({"layers": [keras.layers.Dense(1)]}, "`layers` must be made of keras_tricks.augment layers"),
        ({"rate": 0.5}, "`rate` is for each member"),
        (
            {"data_format": "channels_first", "layers": [kt.augment.RandomFlip(data_format="channels_last")]},
            "data_format",
        ),
    ]

    def make(self, num_classes=CLASSES, rate=1.0, data_format="channels_last", **changes):
        if rate in (0.0, 0.9):  # a sequence has no rate of its own
            layers = [kt.augment.CutMix(num_classes=num_classes, rate=rate)]
        elif rate != 1.0:
            layers, changes["rate"] = [], rate
        else:
            layers = [
                kt.augment.RandomFlip(vertical=True, data_format=data_format),
                kt.augment.CutMix(num_classes=num_classes, data_format=data_format),
                kt.augment.MixUp(0.5, data_format=data_format),
            ]
        return kt.augment.Sequence(**({"layers": layers, "seed": 3, "data_format": data_format} | changes))

    def test_the_rate_is_the_share_of_images_touched(self):
        images = np.repeat(make_images(count=1), 400, axis=0)
        touched = (to_numpy(kt.augment.Sequence([kt.augment.RandomFlip(rate=0.3)], seed=1)(images)) != images).any(
            (1, 2, 3)
        )
        assert abs(touched.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)

    def test_a_bad_common_argument_is_named_with_its_value(self):
        for change, message in (({"seed": -1}, "`seed`"), ({"data_format": "first"}, "`data_format`")):
            with pytest.raises(ValueError, match=message):
                kt.augment.Sequence([], **change)

    def test_hooks_are_pure_given_their_params(self):
        """A sequence has no hooks of its own: its members are applied one after another."""
        images = make_images()
        flip, crop = kt.augment.RandomFlip(rate=1.0), kt.augment.RandomCrop((6, 4), rate=0.0)
        np.testing.assert_array_equal(
            to_numpy(kt.augment.Sequence([flip, crop])(images)), images[:, :, ::-1][:, 3:9, 3:7].astype("float32")
        )

    def test_a_batch_of_one_passes_unchanged(self):
        """By its mixing members."""
        chain = kt.augment.Sequence([kt.augment.CutMix(num_classes=CLASSES), kt.augment.MixUp(0.5)], seed=1)
        images, labels = chain((make_images()[:1], make_labels()[:1]))
        np.testing.assert_array_equal(to_numpy(images), make_images()[:1])
        np.testing.assert_allclose(to_numpy(labels), np.eye(CLASSES)[:1], atol=1e-7)

    def test_no_sample_is_its_own_partner(self):
        labels = to_numpy(self.make()((make_images()[:2], make_labels()[:2]))[1])
        assert labels.shape == (2, CLASSES)

    def test_class_ids_of_a_short_type_are_not_wrapped_around(self):
        images = np.zeros((2, 4, 4, 1), "uint8")
        _, rows = self.make(num_classes=300)((images, np.array([10, 255], "uint8")))
        assert set(np.nonzero(to_numpy(rows))[1]) <= {10, 255}

    def test_a_label_out_of_range_is_a_row_of_zeros_in_compiled_code(self):
        """Its first mixing member sees the integers."""
        assert self.make().layers[1].num_classes == CLASSES

    def test_sample_weights_mix_such_that_the_weighted_loss_does(self):
        weights = np.linspace(0, 3, len(make_images())).astype("float32")
        _, plain = self.make()((make_images(), make_labels()))
        _, weighted, mixed_weights = self.make()((make_images(), make_labels(), weights))
        expected = to_numpy(plain) * weights[None, :]
        np.testing.assert_allclose(to_numpy(weighted) * to_numpy(mixed_weights)[:, None], expected, atol=1e-6)

    def test_integer_labels_need_the_number_of_classes(self):
        with pytest.raises(ValueError, match="CutMix needs `num_classes`"):
            self.make(num_classes=None)((make_images(), make_labels()))

    def test_members_of_one_kind_draw_by_their_position(self):
        images = np.repeat(make_images(count=1), 64, axis=0)
        twice = kt.augment.Sequence([kt.augment.RandomFlip(seed=1), kt.augment.RandomFlip(seed=1)])
        assert (to_numpy(twice(images)) != images).any()  # equal draws would undo each other

    def test_the_members_own_counters_stay_where_they_are(self):
        layer = self.make()
        layer((make_images(), make_labels()))
        assert [int(to_numpy(member.stream.state)[1]) for member in layer.layers] == [0, 0, 0]
        assert int(to_numpy(layer.stream.state)[1]) == 1

    def test_members_without_a_seed_follow_the_sequences(self):
        one, same, other = (kt.augment.Sequence(members(), seed=seed)(make_images()) for seed in (1, 1, 2))
        np.testing.assert_allclose(to_numpy(one), to_numpy(same), atol=1e-3)
        assert not np.allclose(to_numpy(one), to_numpy(other), atol=1e-3)

    def test_images_are_cast_once_at_the_end(self):
        assert (
            keras.backend.standardize_dtype(kt.augment.Sequence([kt.augment.RandomFlip()])(make_images()).dtype)
            == "float32"
        )
        mixed = kt.augment.Sequence(members(), dtype="mixed_float16")(make_images())
        assert keras.backend.standardize_dtype(mixed.dtype) == "float16"

    def test_sequences_nest(self):
        inner = kt.augment.Sequence([kt.augment.RandomCrop((6, 4))])
        nested = kt.augment.Sequence([kt.augment.RandomFlip(), inner], seed=1)
        again = kt.augment.Sequence.from_config(json.loads(json.dumps(nested.get_config())))
        np.testing.assert_array_equal(to_numpy(nested(make_images())), to_numpy(again(make_images())))
        assert nested.output_size(12, 10) == (6, 4)


def test_one_image_without_a_batch_is_not_the_clean_one_of_its_copies():
    image, label = make_images()[0], np.int32(3)
    for layer in (
        kt.augment.AugMix(8, splits=3, seed=1),
        kt.augment.Sequence([kt.augment.AugMix(8, splits=3)], seed=2),
    ):
        views = [layer((image, label)) for _ in range(4)]
        assert {tuple(view.shape) for view, _ in views} == {image.shape}
        assert any((to_numpy(view) != image).any() for view, _ in views)
