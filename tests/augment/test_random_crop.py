import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from tests.augment.boxes import assert_boxes_fit_the_paint, painted
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


def numbered(count=256, height=6, width=5):
    """Images whose pixels are numbered from 1."""
    return np.broadcast_to(
        np.arange(1, 1 + height * width, dtype="float32").reshape(1, height, width, 1), (count, height, width, 1)
    )


class TestRandomCrop(AugmentationContract):
    cls = kt.augment.RandomCrop
    arguments = {"padding": 3}
    bad_arguments = [
        ({"size": 0}, "`size`.*Received: size=0"),
        ({"size": (3, 4, 5)}, "`size`"),
        ({"padding": -1}, "`padding`.*Received: padding=-1"),
        ({"padding": 1.5}, "`padding`"),
        ({"fill": "mirror"}, '`fill` must be a number, "black" or "reflect". Received: fill=\'mirror\''),
    ]

    @pytest.mark.parametrize("fill", [0, 7.0, "reflect"])
    @pytest.mark.parametrize(("size", "padding"), [(None, 2), ((4, 3), 0), ((7, 4), 1), (6, 3)])
    def test_each_window_is_cut_out_of_the_padded_image_and_all_are_equally_likely(self, size, padding, fill):
        images = numbered(1500)
        windows = to_numpy(kt.augment.RandomCrop(size, padding, fill, seed=1)(images))[..., 0]
        pad = {"mode": "reflect"} if fill == "reflect" else {"constant_values": fill}
        padded = np.pad(images[0, :, :, 0], padding, **pad)
        places = np.lib.stride_tricks.sliding_window_view(padded, windows.shape[1:])
        places = places.reshape(-1, *windows.shape[1:])
        found = (windows[:, None] == places[None]).all((2, 3))
        assert found.any(1).all()
        kinds = np.unique(places, axis=0, return_inverse=True)[1].ravel()  # reflected windows can coincide
        counts = np.bincount(kinds[found.argmax(1)], minlength=kinds.max() + 1)
        assert stats.chisquare(counts, np.bincount(kinds) / len(places) * len(images)).pvalue > 0.001

    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    @pytest.mark.parametrize(("size", "padding"), [(None, 9), ((60, 130), 0), ((150, 128), 20), (8, 30)])
    def test_windows_of_large_images_are_cut_out_of_the_padded_image(self, size, padding, dtype):
        rows, columns = np.mgrid[:140, :130]
        images = np.stack([rows, columns, np.full_like(rows, 200)], -1).astype(dtype)[None].repeat(24, 0)
        windows = to_numpy(kt.augment.RandomCrop(size, padding, 255, seed=1)(images))
        padded = np.pad(images[0], ((padding,) * 2, (padding,) * 2, (0, 0)), constant_values=255)
        assert len({window.tobytes() for window in windows}) > 1
        for window in windows:
            inside = np.argwhere(window[..., 2] == 200)
            if not len(inside):  # nothing but padding, of which there is enough
                assert window.shape[0] <= padding
                continue
            place, (row, column) = inside[0], window[tuple(inside[0])][:2].astype(int)
            top, left = row + padding - place[0], column + padding - place[1]
            np.testing.assert_array_equal(window, padded[top:, left:][: window.shape[0], : window.shape[1]])

    def test_the_middle_is_cut_at_inference(self):
        images = make_images()
        np.testing.assert_array_equal(
            to_numpy(self.make(size=(8, 6), padding=0)(images, training=False)), images[:, 2:10, 2:8]
        )

    def test_the_shape_inside_a_model_is_the_windows(self):
        import keras

        assert self.make(size=(5, 7))(keras.Input((None, None, 3))).shape == (None, 5, 7, 3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"size": 20, "padding": 2}, r"`size`.*Received: size=\(20, 20\), padding=2, images of height 12"),
            ({"padding": 10, "fill": "reflect"}, "`padding`.*Received: padding=10, images of width 10"),
        ],
    )
    def test_windows_and_reflections_that_do_not_fit_are_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            kt.augment.RandomCrop(**arguments)(make_images())

    @pytest.mark.parametrize("fill", [-1, 300])
    def test_a_fill_that_uint8_cannot_hold_is_refused_there(self, fill):
        layer, images = kt.augment.RandomCrop(padding=2, fill=fill, seed=1), make_images()
        with pytest.raises(ValueError, match=f"`fill` must be a level of 0 to 255 .* Received: fill={fill}"):
            layer(images)
        assert (to_numpy(layer(images.astype("float32"))) == fill).any()

    def test_where_sizes_are_not_known_a_small_image_lies_within_the_filling(self):
        import tensorflow as tf

        spec = tf.TensorSpec((None, None, None, 1), "float32")
        images = tf.data.Dataset.from_generator(lambda: iter([numbered(200, 3, 4)]), output_signature=spec)
        (windows,) = images.map(kt.augment.RandomCrop((6, 4), fill=99, seed=1))
        windows = windows.numpy()[..., 0]
        assert ((windows == 99).sum((1, 2)) == 3 * 4).all()
        kept = np.stack([window[window[:, 0] != 99] for window in windows])
        np.testing.assert_array_equal(kept, numbered(200, 3, 4)[..., 0])

    def test_masks_move_with_their_images_and_are_padded_with_class_0(self):
        images = np.maximum(make_images(), 1)
        batch = self.make(fill=9)({"images": images, "segmentation_masks": images[..., :1]})
        image, mask = to_numpy(batch["images"])[..., :1], to_numpy(batch["segmentation_masks"])
        np.testing.assert_array_equal(mask, np.where(mask == 0, 0, image))
        assert (mask == 0).any()

    def test_boxes_are_cut_with_their_images(self):
        assert_boxes_fit_the_paint(kt.augment.RandomCrop((40, 50), padding=6, seed=1)(painted()), tolerance=0)
