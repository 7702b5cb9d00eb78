"""What every augmentation must do. A trick's test inherits `AugmentationContract` and says how to make its layer."""

import importlib
import json
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from keras_tricks._core import compiled
from tests.augment.boxes import (
    FORMATS,
    assert_boxes_fit_the_paint,
    assert_masks_fit_the_paint,
    from_corners,
    painted,
)
from tests.golden_values import check_golden
from tests.running import BACKEND, first_call, to_numpy

# The tests share these shapes, because each new one has to be compiled on JAX.
COUNT, HEIGHT, WIDTH, CLASSES = 8, 12, 10, 8
MANY = 600


def make_images(dtype: str = "uint8", channels: int = 3, count: int = COUNT) -> np.ndarray:
    """Images of noise, no two pixels of a batch alike in all channels."""
    images = np.random.default_rng(1).integers(0, 256, (count, HEIGHT, WIDTH, channels)).astype("uint8")
    return images.astype(dtype)


def make_labels(count: int = COUNT) -> np.ndarray:
    """A class of its own for each image."""
    return np.arange(count) % CLASSES


def rows(labels: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype="float32")[labels]


class AugmentationContract:
    """The tests that every augmentation inherits.

    A subclass sets `cls`, `arguments` (of a layer that visibly changes most images), `bad_arguments` as pairs of the
    arguments and a piece of the error, whether it mixes samples, and for which `channels` it is defined if not for all.
    """

    cls: Any
    arguments: dict[str, Any]
    bad_arguments: list[tuple[dict[str, Any], str]] = []
    mixes_samples = False
    channels: tuple[int, ...] | None = None
    # How many results equal images must show at least: 2 where an image is changed in one way or not at all.
    outcomes = 4
    # Whether what comes out is in units of its own, the same whatever the `value_range`.
    own_units = False
    # How far, in levels, images of other value ranges may be away: rounding.
    value_range_tolerance = 0.05
    # Whether masks and boxes are taken at all.
    takes_places = True
    # Whether masks of class ids are taken.
    takes_masks = True
    # For the members that move pixels: what to change in `arguments` for images of 48x64, of which they should leave
    # enough to see, and by how many pixels a box may miss the paint.
    box_arguments: dict[str, Any] = {}
    box_tolerance = 1.0

    def make(self, **changes: Any) -> Any:
        return self.cls(**({"seed": 3} | self.arguments | changes))

    def arguments_in(self, low: float, high: float) -> dict[str, Any]:
        """What to change in `arguments` for images in another `value_range`: by default a `fill`, given in levels."""
        fill = self.make().get_config().get("fill")
        if fill is None or isinstance(fill, str):
            return {}
        levels = low + np.asarray(fill, "float64") * (high - low) / 255
        return {"fill": tuple(levels.tolist()) if levels.ndim else float(levels)}

    def tolerance(self) -> dict[str, float]:
        return {"rtol": 0, "atol": 0} if self.cls.keeps_dtype else {"rtol": 1e-5, "atol": 1e-3}

    def assert_same(self, actual: Any, expected: Any) -> None:
        np.testing.assert_allclose(
            to_numpy(actual).astype("float64"), to_numpy(expected).astype("float64"), **self.tolerance()
        )

    # The numbers

    def test_the_same_seed_gives_the_batch_on_file_on_every_backend(self):
        images, labels = self.make()((make_images(), make_labels()))
        values = {"images": to_numpy(images)}
        if self.mixes_samples:
            values["labels"] = to_numpy(labels)
        # Where places between pixels are computed, their last digit is multiplied by the difference of the pixels.
        check_golden(f"augment_{self.cls.__name__}", values, absolute=max(1e-5, self.tolerance()["atol"]))

    def test_the_next_call_draws_anew(self):
        layer, images = self.make(), make_images()
        assert not np.array_equal(to_numpy(layer(images)), to_numpy(layer(images)))

    def test_another_seed_or_an_explicit_name_draws_other_numbers(self):
        images = make_images()
        results = [
            to_numpy(self.make(**change)(images)) for change in ({}, {"seed": 4}, {"name": "left"}, {"name": "right"})
        ]
        for index, result in enumerate(results):
            assert not any(np.array_equal(result, other) for other in results[:index])

    def test_an_automatic_name_does_not_count(self):
        self.assert_same(self.make()(make_images()), self.make()(make_images()))

    def test_without_a_seed_every_layer_is_a_stream_of_its_own(self):
        images = make_images()
        assert not np.array_equal(to_numpy(self.make(seed=None)(images)), to_numpy(self.make(seed=None)(images)))

    def test_equal_images_are_changed_independently(self):
        images = np.repeat(make_images(count=1), MANY, axis=0)
        if self.mixes_samples:  # equal partners would hide what was drawn: the labels show it
            _, labels = first_call(self.make(num_classes=MANY), (images, np.arange(MANY)))
            assert len(np.unique(to_numpy(labels).max(1))) > 10
            return
        assert len({image.tobytes() for image in to_numpy(first_call(self.make(), images))}) >= self.outcomes

    def test_the_rate_is_the_share_of_images_touched(self):
        images = np.repeat(make_images(count=2), MANY // 2, axis=0)
        images[::2], images[1::2] = images[0], images[-1]
        always = self._touched(self.make(rate=1.0), images)
        sometimes = self._touched(self.make(rate=0.3), images)
        assert abs(sometimes - 0.3 * always) < 4 * np.sqrt(0.3 * 0.7 / len(images))

    def _touched(self, layer: Any, images: np.ndarray) -> float:
        changed = to_numpy(first_call(layer, images)).astype("float64")
        return float((np.abs(changed - images).max((1, 2, 3)) > 1e-3).mean())

    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_switched_off_it_changes_nothing(self, dtype):
        images = make_images(dtype)
        if dtype == "float32":  # between the levels
            images = 0.4 + 0.99 * images
        self.assert_same(self.make(rate=0.0)(images), self.make()(images, training=False))

    def test_hooks_are_pure_given_their_params(self):
        layer, images = self.make(), ops.convert_to_tensor(make_images("float32"))
        from keras_tricks._core import random

        params = layer.sample(images.shape, random.key((3, 0), (1, 2)))
        first, second = layer.transform_images(images, params), layer.transform_images(images, params)
        np.testing.assert_array_equal(to_numpy(first), to_numpy(second))

    def test_numpy_draws_what_the_backend_draws(self):
        from keras_tricks._core import ops, random

        layer, shape, wanted = self.make(), (COUNT, HEIGHT, WIDTH, 3), np.arange(COUNT) % 3 > 0
        key = random.key((3, 0), (1, 2))
        if self.cls.sample is kt.augment.BatchAugmentation.sample:
            with pytest.raises(NotImplementedError, match="sample"):  # its members draw
                layer.sample(shape, key)
            return
        drawn = layer._drawn(shape, key, ops.convert_to_tensor(wanted))
        with ops.numpy_arrays(), np.errstate(all="ignore"):
            expected = layer._drawn(shape, to_numpy(key), wanted)
        keras.tree.assert_same_structure(drawn, expected)
        for one, other in zip(*map(keras.tree.flatten, (drawn, expected)), strict=True):
            if not hasattr(one, "shape"):  # a size of the images
                assert one == other
                continue
            assert isinstance(other, (np.ndarray, np.generic))
            assert (to_numpy(one).shape, to_numpy(one).dtype) == (other.shape, other.dtype)
            np.testing.assert_allclose(to_numpy(one), other, rtol=1e-5, atol=1e-5)

    # The forms of a batch

    def test_images_alone_pairs_and_dicts_get_the_same_images(self):
        images, labels = make_images(), make_labels()
        alone = self.make()(images)
        pair = self.make()((images, labels))
        split = self.make()(images, labels)
        named = self.make()({"images": images, "labels": labels, "file": np.arange(COUNT)})
        for other in (pair[0], split[0], named["images"]):
            self.assert_same(other, alone)
        for other in (split[1], named["labels"]):
            np.testing.assert_array_equal(to_numpy(other), to_numpy(pair[1]))
        np.testing.assert_array_equal(to_numpy(named["file"]), np.arange(COUNT))
        assert isinstance(pair, tuple)
        assert isinstance(named, dict)

    def test_the_callers_batch_is_never_written_to(self):
        images, labels = make_images("float32"), make_labels()
        batch = {"images": images, "labels": labels}
        kept = {name: part.copy() for name, part in batch.items()}
        self.make()(batch)
        assert batch["images"] is images
        for name, part in kept.items():
            np.testing.assert_array_equal(batch[name], part)

    def test_one_image_without_a_batch_comes_back_as_one_image(self):
        image, label = first_call(self.make(), (make_images()[0], make_labels()[0]))
        batch = first_call(self.make(), make_images()[:1])
        assert len(image.shape) == 3
        assert len(label.shape) == (1 if self.mixes_samples else 0)
        self.assert_same(image, batch[0])

    @pytest.mark.parametrize("shape", [(4, 4), (2, 2, 4, 4, 3)])
    def test_images_of_the_wrong_rank_are_refused_with_their_shape(self, shape):
        with pytest.raises(ValueError, match=re.escape(f"Received: {shape}")):
            self.make()(np.zeros(shape, "uint8"))

    def test_a_dict_without_images_is_refused_with_its_keys(self):
        with pytest.raises(ValueError, match=r'needs the key "images".*labels'):
            self.make()({"labels": make_labels()})

    @pytest.mark.parametrize("channels", [1, 4])
    def test_any_number_of_channels_will_do(self, channels):
        images = make_images(channels=channels)
        if self.channels is not None and channels not in self.channels:
            with pytest.raises(ValueError, match=re.escape(f"Received: images of shape {images.shape}")):
                self.make(rate=1.0)(images)
            return
        assert to_numpy(first_call(self.make(), images)).shape[-1] == channels

    def test_channels_first_equals_channels_last(self):
        last = to_numpy(self.make(data_format="channels_last")(make_images()))
        first = to_numpy(self.make(data_format="channels_first")(make_images().transpose(0, 3, 1, 2)))
        np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)

    def test_masks_and_boxes_of_channels_first_images_go_where_those_of_channels_last_go(self):
        batch = painted(COUNT, HEIGHT, WIDTH)
        turned = batch | {name: np.moveaxis(batch[name], -1, 1) for name in ("images", "segmentation_masks")}
        extra = {"labels": make_labels()} if self.mixes_samples else {}
        if not self.takes_masks:
            batch.pop("segmentation_masks")
            turned.pop("segmentation_masks")
        last = self.make(data_format="channels_last")(batch | extra)
        first = self.make(data_format="channels_first")(turned | extra)
        for name, part in last["bounding_boxes"].items():
            np.testing.assert_array_equal(to_numpy(first["bounding_boxes"][name]), to_numpy(part))
        if "segmentation_masks" in batch:
            masks = np.moveaxis(to_numpy(first["segmentation_masks"]), 1, -1)
            np.testing.assert_array_equal(masks, to_numpy(last["segmentation_masks"]))

    # The types

    @pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16", "float32"])
    def test_the_dtype_is_kept_by_members_that_move_and_the_layers_own_for_those_that_compute(self, dtype):
        changed = self.make()(ops.cast(ops.convert_to_tensor(make_images()), dtype))
        assert keras.backend.standardize_dtype(changed.dtype) == (dtype if self.cls.keeps_dtype else "float32")

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
    def test_uint8_and_floats_agree_within_a_level(self, dtype):
        exact = to_numpy(self.make()(make_images())).astype("float64")
        changed = to_numpy(self.make()(ops.cast(ops.convert_to_tensor(make_images()), dtype))).astype("float64")
        assert np.abs(changed - exact).max() <= 1

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_labels_stay_exact_under_mixed_precision(self, policy):
        layer = self.make(dtype=policy)
        changed, labels = layer((make_images(), np.arange(COUNT) + (0 if self.mixes_samples else 1000)))
        expected = make_images().dtype.name if self.cls.keeps_dtype else keras.DTypePolicy(policy).compute_dtype
        assert keras.backend.standardize_dtype(changed.dtype) == expected
        if self.mixes_samples:
            assert keras.backend.standardize_dtype(labels.dtype) == "float32"
        else:
            np.testing.assert_array_equal(to_numpy(labels), np.arange(COUNT) + 1000)

    def test_the_value_range_is_a_matter_of_units(self):
        images = make_images("float32")
        expected = to_numpy(self.make()(images)).astype("float64")
        for low, high in ((0, 1), (-1, 1)):
            unit = np.float32((high - low) / 255)
            layer = self.make(value_range=(low, high), **self.arguments_in(low, high))
            changed = to_numpy(layer(images * unit + np.float32(low))).astype("float64")
            if not self.own_units:
                changed = (changed - low) / unit
            np.testing.assert_allclose(changed, expected, atol=self.value_range_tolerance)

    # Masks and boxes

    def test_masks_and_boxes_go_where_the_pixels_go(self):
        if not self.make().keeps_places:
            moved = first_call(self.make(**self.box_arguments), painted())
            assert_masks_fit_the_paint(moved)
            assert_boxes_fit_the_paint(moved, self.box_tolerance)
            return
        batch, layer = painted(COUNT, HEIGHT, WIDTH), self.make()
        changed = layer(batch)
        self.assert_same(changed["images"], self.make()(batch["images"]))
        np.testing.assert_array_equal(to_numpy(changed["segmentation_masks"]), batch["segmentation_masks"])
        for name, part in batch["bounding_boxes"].items():
            np.testing.assert_array_equal(to_numpy(changed["bounding_boxes"][name]), part)

    def test_boxes_in_every_format_and_under_kerascvs_name_for_labels_are_the_same_boxes(self):
        batch = painted(COUNT, HEIGHT, WIDTH)
        corners, labels = batch["bounding_boxes"]["boxes"], batch["bounding_boxes"]["labels"]
        plain = self.make()(batch)
        size, expected = to_numpy(plain["images"]).shape[1:3], plain["bounding_boxes"]
        assert (to_numpy(expected["labels"])[labels == -1] == -1).all()
        for form in FORMATS[1:]:
            boxes = {"boxes": from_corners(corners, form, HEIGHT, WIDTH), "classes": labels}
            changed = self.make(bounding_box_format=form)(batch | {"bounding_boxes": boxes})["bounding_boxes"]
            assert sorted(changed) == ["boxes", "classes"]
            np.testing.assert_array_equal(to_numpy(changed["classes"]), to_numpy(expected["labels"]))
            wanted = from_corners(to_numpy(expected["boxes"]), form, *size)
            np.testing.assert_allclose(to_numpy(changed["boxes"]), wanted, atol=1e-4)

    # Where it runs

    def test_a_batch_without_images_stays_one(self):
        changed, labels = first_call(self.make(), (make_images()[:0], make_labels()[:0]))
        assert (changed.shape[0], labels.shape[0]) == (0, 0)

    def test_at_inference_it_is_the_identity_with_the_size_and_the_type_of_training(self):
        layer, images = self.make(), make_images()
        changed, labels = layer((images, make_labels()), training=False)
        trained = layer(images)
        assert (changed.shape, changed.dtype) == (trained.shape, trained.dtype)
        if changed.shape == images.shape:
            np.testing.assert_array_equal(to_numpy(changed), images)
        np.testing.assert_array_equal(to_numpy(labels), make_labels())

    def test_inference_building_and_saving_do_not_advance_the_stream(self, tmp_path):
        first, other = self.make(), self.make()
        other(make_images(), training=False)
        other.get_config()
        if not self.mixes_samples:
            keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), other]).save(tmp_path / "model.keras")
            loaded = keras.saving.load_model(tmp_path / "model.keras")
            assert loaded.layers[-1].get_config() == other.get_config()
            self.assert_same(loaded.layers[-1](make_images()), self.make()(make_images()))
        self.assert_same(other(make_images()), first(make_images()))

    def test_it_never_keeps_a_model_from_being_compiled(self):
        layer = self.make()
        assert layer.supports_jit
        layer(make_images())
        assert layer.signature() == self.make(seed=4).signature()

    @pytest.mark.skipif(BACKEND not in compiled.CALLS_BEFORE, reason="torch runs one operation after another")
    def test_compiled_as_a_whole_it_gives_the_same_batches(self, monkeypatch):
        monkeypatch.setattr(compiled, "CALLS_BEFORE", dict.fromkeys(compiled.CALLS_BEFORE, 0))
        layer, plain = self.make(), self.make()
        plain.supports_jit = False
        for _ in range(2):
            changed, labels = layer((make_images(), make_labels()))
            expected, wanted = plain((make_images(), make_labels()))
            self.assert_same(changed, expected)
            np.testing.assert_allclose(to_numpy(labels), to_numpy(wanted), atol=1e-6)

    @pytest.mark.skipif(BACKEND != "torch", reason="JAX and TensorFlow compile one code for batches of any size")
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    @pytest.mark.parametrize("way", ["in parts", "one by one"])
    def test_large_batches_become_what_small_ones_do(self, monkeypatch, dtype, way):
        torch_parts = importlib.import_module("keras_tricks.augment._torch_parts")
        images = make_images(dtype)
        small = self.make()(images)
        limits = {"PART": 3 * images[0].nbytes} if way == "in parts" else {"LARGE_PLANE": 1, "LARGE_IMAGE": 1}
        for name, limit in limits.items():
            monkeypatch.setattr(torch_parts, name, limit)
        self.assert_same(self.make()(images), small)
        np.testing.assert_array_equal(images, make_images(dtype))

    def test_a_pipeline_with_unknown_sizes_gives_the_eager_batches(self):
        tf = importlib.import_module("tensorflow")
        places = {} if self.mixes_samples or not self.takes_places else painted(COUNT, HEIGHT, WIDTH)
        batches = [
            places | {"images": images, "labels": make_labels()} for images in (make_images(), make_images()[::-1])
        ]
        spec = tf.nest.map_structure(lambda part: tf.TensorSpec((None,) * part.ndim, part.dtype), batches[0])
        spec["images"] = tf.TensorSpec((None, None, None, 3), "uint8")
        if places:
            spec["segmentation_masks"] = tf.TensorSpec((None, None, None, 1), "uint8")
        dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec).map(self.make())
        eager = self.make()
        for changed, batch in zip(dataset, batches, strict=True):
            expected = eager(batch)
            self.assert_same(changed.pop("images").numpy(), expected.pop("images"))
            wanted = dict(keras.tree.flatten_with_path(expected))
            for path, part in keras.tree.flatten_with_path(changed):
                within = 1e-6 if path[0] == "labels" else 1e-4
                np.testing.assert_allclose(part.numpy(), to_numpy(wanted[path]), atol=within, err_msg=str(path))

    def test_a_numbered_pipeline_in_parallel_gives_the_eager_batches_and_never_repeats_an_epoch(self):
        tf = importlib.import_module("tensorflow")
        images, labels = make_images(count=8 * COUNT), make_labels(8 * COUNT)
        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(COUNT)
        dataset = kt.data.augment(dataset, self.make(), num_parallel_calls=4)
        first, second = ([batch[0].numpy() for batch in dataset] for _ in range(2))
        eager = self.make()
        for start, batch in zip(range(0, 8 * COUNT, COUNT), first, strict=True):
            self.assert_same(batch, eager((images[start : start + COUNT], labels[start : start + COUNT]))[0])
        assert not all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))
        assert dataset.cardinality() == 8

    def test_compiled_fit_trains_on_the_eager_batches_and_a_saved_trainer_goes_on_where_it_was(self, tmp_path):
        images, labels = make_images(), rows(make_labels())
        expected = kt.augment.Sequence([self.make()])
        batches = [[to_numpy(part).astype("float64") for part in expected((images, labels))] for _ in range(3)]
        eager = [(batch.mean(), (labels**2).mean()) for batch, labels in batches]
        path, seen = tmp_path / "trainer.weights.h5", []
        trainer = self._trainer(seen)
        trainer.fit(images, labels, batch_size=COUNT, shuffle=False, verbose=0)
        trainer.save_weights(path)
        trainer.fit(images, labels, batch_size=COUNT, shuffle=False, epochs=2, verbose=0)
        np.testing.assert_allclose(seen, eager, rtol=1e-4)
        seen_again = []
        trainer = self._trainer(seen_again)
        trainer.load_weights(path)
        trainer.fit(images, labels, batch_size=COUNT, shuffle=False, epochs=2, verbose=0)
        np.testing.assert_allclose(seen_again, seen[1:], rtol=1e-5)

    def _trainer(self, seen: list[tuple[float, float]]) -> keras.Model:
        """A trainer whose metrics after each epoch of one step are the images' mean and the labels' mean square."""
        height, width = self.make().output_size(HEIGHT, WIDTH)
        inputs = keras.Input((height, width, 3))
        kernel = keras.initializers.Constant(1 / 3)
        mean = keras.layers.GlobalAveragePooling2D()(inputs)
        outputs = keras.layers.Dense(CLASSES, kernel_initializer=kernel)(mean)
        trainer = kt.Trainer(keras.Model(inputs, outputs), augment=[self.make()])

        def image_mean(targets: Any, predictions: Any) -> Any:
            return ops.mean(predictions, axis=-1)

        def label_spread(targets: Any, predictions: Any) -> Any:
            return ops.mean(ops.square(targets), axis=-1)

        trainer.compile(keras.optimizers.SGD(0.0), "mse", metrics=[image_mean, label_spread])

        class Record(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                seen.append((logs["image_mean"], logs["label_spread"]))

        fit = trainer.fit
        trainer.fit = lambda *args, **kwargs: fit(*args, callbacks=[Record()], **kwargs)
        return trainer

    def test_the_shape_that_comes_out_is_known_before(self):
        shape = tuple(self.make()(make_images(), training=False).shape)
        assert self.make().compute_output_shape((None, HEIGHT, WIDTH, 3)) == (None, *shape[1:])
        assert self.make().compute_output_shape((HEIGHT, WIDTH, 3)) == shape[1:]
        first = self.make(data_format="channels_first").compute_output_shape((None, 3, HEIGHT, WIDTH))
        assert first == (None, 3, *shape[1:3])

    def test_inside_a_model_it_works_on_images_or_says_what_to_use_instead(self):
        inputs = keras.Input((HEIGHT, WIDTH, 3))
        if self.mixes_samples:
            with pytest.raises(ValueError, match=r"keras_tricks\.Trainer"):
                self.make()(inputs)
            return
        layer = self.make()
        flat = keras.layers.Flatten()(layer(inputs))
        images = make_images("float32")
        expected = self.make()(images, training=False)
        predicted = keras.Model(inputs, flat).predict(images, verbose=0)
        self.assert_same(predicted, to_numpy(expected).reshape(COUNT, -1))
        model = keras.Model(inputs, keras.layers.Dense(1)(flat))
        model.compile("sgd", "mse")
        model.fit(images, np.zeros((COUNT, 1)), verbose=0)
        assert int(to_numpy(layer.stream.state)[1]) == int(layer.draws)

    @pytest.mark.filterwarnings("ignore:os.fork")  # JAX, which other tests take for an oracle, warns of any fork
    def test_a_data_loader_with_two_workers_repeats_no_batch(self):
        if BACKEND != "torch":
            pytest.skip("JAX and TensorFlow do not survive a fork; tests/data/test_augment.py starts workers afresh")
        data = importlib.import_module("torch.utils.data")
        layer = self.make()

        def collate(items: list[Any]) -> np.ndarray:
            return to_numpy(layer(np.stack(items)))

        images = np.repeat(make_images(), 2, axis=0)
        loader = data.DataLoader(list(images), batch_size=8, collate_fn=collate, num_workers=2)
        batches = [batch.tobytes() for _ in range(2) for batch in loader]
        assert len(set(batches)) == len(batches) == 4

    def test_a_py_dataset_gets_new_numbers_with_every_batch(self):
        layer = self.make()

        class Batches(keras.utils.PyDataset):
            def __len__(self) -> int:
                return 3

            def __getitem__(self, index: int) -> Any:
                return layer((make_images(), make_labels()))

        batches = [to_numpy(Batches()[index][0]).tobytes() for index in range(3)]
        assert len(set(batches)) == 3

    # Saving and arguments

    def test_its_config_makes_the_same_layer(self):
        layer = self.make(rate=0.9)
        config = layer.get_config()
        again = self.cls.from_config(json.loads(json.dumps(config)))
        assert again.get_config() == config
        self.assert_same(again(make_images()), layer(make_images()))

    def test_it_is_registered_under_the_packages_name(self):
        assert keras.saving.get_registered_name(self.cls) == f"keras_tricks>{self.cls.__name__}"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"rate": 1.2}, r"`rate` must be in \[0, 1\]. Received: rate=1.2"),
            ({"rate": "often"}, "`rate`"),
            ({"seed": -1}, "`seed`.*Received: seed=-1"),
            ({"seed": 0.5}, "`seed`"),
            ({"data_format": "first"}, "`data_format`.*Received: data_format='first'"),
            ({"value_range": (1, 0)}, "`value_range`"),
        ],
    )
    def test_a_bad_common_argument_is_named_with_its_value(self, change, message):
        with pytest.raises(ValueError, match=message):
            self.make(**change)

    def test_a_bad_argument_of_its_own_is_named_with_its_value(self):
        assert self.bad_arguments
        for change, message in self.bad_arguments:
            with pytest.raises(ValueError, match=message):
                self.make(**change)


class MixingContract(AugmentationContract):
    """What the members that mix samples must do with labels."""

    mixes_samples = True
    # Places of two images at once: each member's own tests say what becomes of them.
    test_masks_and_boxes_go_where_the_pixels_go = None
    test_boxes_in_every_format_and_under_kerascvs_name_for_labels_are_the_same_boxes = None

    def test_label_rows_sum_to_one(self):
        _, labels = self.make()((make_images(), make_labels()))
        np.testing.assert_allclose(to_numpy(labels).sum(1), 1, atol=1e-6)

    def test_class_ids_columns_of_them_and_rows_give_the_same_labels(self):
        labels = make_labels()
        results = [to_numpy(self.make()((make_images(), form))[1]) for form in (labels, labels[:, None], rows(labels))]
        for result in results[1:]:
            np.testing.assert_allclose(result, results[0], atol=1e-7)

    def test_integer_labels_need_the_number_of_classes(self):
        with pytest.raises(ValueError, match="needs `num_classes`"):
            self.make(num_classes=None)((make_images(), make_labels()))

    @pytest.mark.parametrize("wrong", [-1, CLASSES])
    def test_labels_out_of_range_are_an_error_where_their_values_are_known(self, wrong):
        labels = make_labels()
        labels[2] = wrong
        with pytest.raises(ValueError, match=rf"num_classes={CLASSES}.*Received: labels {wrong}"):
            self.make()((make_images(), labels))
        trainer = kt.Trainer(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(CLASSES)]), [self.make()])
        trainer.compile("sgd", kt.losses.Crossentropy(from_logits=True))
        with pytest.raises(ValueError, match=f"Received: labels {wrong}"):
            trainer.fit(make_images(), labels, verbose=0)

    def test_a_label_out_of_range_is_a_row_of_zeros_in_compiled_code(self):
        layer = self.make()
        np.testing.assert_array_equal(
            to_numpy(layer.soft_rows(ops.convert_to_tensor(np.array([1, -1, CLASSES])))),
            np.stack([rows(1), np.zeros(CLASSES), np.zeros(CLASSES)]),
        )

    def test_class_ids_of_a_short_type_are_not_wrapped_around(self):
        layer = self.make(num_classes=300)
        marked = to_numpy(layer.soft_rows(ops.convert_to_tensor(np.array([10, 255], "uint8"))))
        np.testing.assert_array_equal(np.argwhere(marked), [[0, 10], [1, 255]])

    @pytest.mark.parametrize(("shape", "num_classes"), [((COUNT,), None), ((COUNT, 1), None), ((COUNT, 1), CLASSES)])
    def test_floats_that_may_be_no_classes_are_refused(self, shape, num_classes):
        with pytest.raises(ValueError, match=re.escape(f"Received: labels of shape {shape}")):
            self.make(num_classes=num_classes)((make_images(), np.zeros(shape, "float32")))

    def test_rows_of_another_number_of_classes_are_refused(self):
        with pytest.raises(ValueError, match=f"num_classes={CLASSES} entries"):
            self.make()((make_images(), np.ones((COUNT, 3), "float32")))

    def test_a_batch_of_one_passes_unchanged(self):
        images, labels = first_call(self.make(), (make_images()[:1], make_labels()[:1]))
        np.testing.assert_array_equal(to_numpy(images), make_images()[:1])
        np.testing.assert_allclose(to_numpy(labels), rows(make_labels()[:1]), atol=1e-7)

    def test_no_sample_is_its_own_partner(self):
        layer = self.make()
        images = make_images()
        for count in (2, 3, COUNT):
            labels = to_numpy(first_call(layer, (images[:count], make_labels()[:count]))[1])
            params = [layer.draw_partner(count, _key(call)) for call in range(20)]
            partners = np.stack([to_numpy(partner) for partner in params])
            assert (partners != np.arange(count)).all()
            assert labels.shape == (count, CLASSES)
        assert len(np.unique(partners[:, 0])) > 3

    def test_sample_weights_mix_such_that_the_weighted_loss_does(self):
        weights = np.linspace(0, 3, COUNT).astype("float32")
        _, plain = self.make()((make_images(), make_labels()))
        _, weighted, mixed_weights = self.make()((make_images(), make_labels(), weights))
        # Each row of a diagonal label matrix shows the shares of the sample and of its partner.
        expected = to_numpy(plain) * weights[None, :]
        np.testing.assert_allclose(to_numpy(weighted) * to_numpy(mixed_weights)[:, None], expected, atol=1e-6)
        np.testing.assert_allclose(to_numpy(weighted).sum(1), 1, atol=1e-6)


def _key(call: int) -> Any:
    from keras_tricks._core import random

    return random.key((5, call), (1, 2))
