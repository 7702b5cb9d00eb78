"""How every augmentation works: draw first (`sample`), compute after (`transform_*`); the rest is done here, once."""

from typing import Any, ClassVar

import keras
import numpy as np

from keras_tricks._core import chain, checks, compiled, ops, random
from keras_tricks._core.stream import RandomLayer, Stream
from keras_tricks.augment import _batch, _boxes, _checking

Tensor = Any
Params = dict[str, Any]
Batch = dict[str, Any]
Boxes = dict[str, Any]

NO_CALL = np.int32(0)  # the number of the call where nothing is drawn
ROWS = "rows of text"  # a part of the batch that says which is which


class BatchAugmentation(RandomLayer):
    """Base of the augmentations: a trick writes `sample` and `transform_images`, and what else it changes.

    `sample(shape, seed)` draws everything random about a batch and returns it as a dict of tensors; `transform_images`,
    `transform_labels`, `transform_masks` and `transform_boxes` are pure functions of their input and these `params`.
    Hooks see batches, channels last, and boxes as corners in pixels. The base brings every batch there and back, in
    each place where an augmentation runs, and compiles the whole where the backend has a compiler: hooks that need the
    values of tensors set `supports_jit = False` on their layer.

    A batch is images alone, a tuple `(images, labels)` or `(images, labels, sample_weight)`, or a dict of "images" and
    what belongs to them; text, as names of files, stays with its image. Labels and weights of a model of several
    outputs are a list, tuple or dict of arrays; a list of numbers, or of a row for each image, is one array.

    A dict may hold `segmentation_masks`, laid out as the images and of their size, with or without an axis of channels,
    and `bounding_boxes`: a dict of "boxes", (batch, count, 4), and "labels" (KerasCV's "classes" will do),
    (batch, count), in which -1 marks a box that is none. Boxes that move are clipped to the image; one that keeps less
    than `min_visible` of its area gets label -1 and coordinates 0.

    Args:
        rate: Share of the images touched, in [0, 1].
        seed: None for a fresh stream, or an integer: the same numbers on every backend. A stream also depends on the
            class and on an explicitly given `name`; inside `Sequence` and `Trainer` on the position.
        data_format: "channels_last" or "channels_first"; None takes Keras' setting.
        value_range: Darkest and brightest value of a pixel.
        bounding_box_format: "xyxy" (left, top, right, bottom), "xywh" (left, top, width, height), "center_xywh", in
            pixels, or "rel_xyxy", "rel_xywh" in shares of the image's sides.
        min_visible: Share of its area, in [0, 1], that a box must keep.
        **kwargs: `name`, `dtype`, as in every Keras layer.

    Raises:
        ValueError: for an argument out of its range; at the first call for images that are not `(batch, height, width,
            channels)` or one of them, or for a part of the batch that the trick does not handle.

    Example:
        ```python
        from keras_tricks import ops, random


        class RandomBrightness(kt.augment.BatchAugmentation):
            def sample(self, shape, seed):
                return {"factor": 0.8 + 0.4 * random.uniform(seed, (shape[0], 1, 1, 1))}

            def transform_images(self, images, params):
                return ops.clip(images * params["factor"], *self.value_range)


        brighter = RandomBrightness(rate=0.5, seed=1)(images)
        ```
    """

    # TensorFlow's mark for a callable that AutoGraph leaves as it is: there is no control flow on tensors in here.
    autograph_info__: ClassVar[dict[str, Any]] = {}
    # A member that only moves or replaces pixels returns the dtype it is given; the others the layer's compute dtype.
    keeps_dtype = False
    # Whether anything can be drawn. What draws nothing does the same at inference as in training.
    is_random = True
    # The arguments that are drawn from where they are pairs, if nothing else is drawn but whom the `rate` touches.
    drawn_from: ClassVar[tuple[str, ...] | None] = None
    # Whether the hook that changes images wants them in float32. Compilers keep a batch that is cast before it is
    # gathered from: who gathers casts what is gathered. On torch images are cast first all the same.
    casts_first = True
    # Whether images and labels of one sample depend on another sample of the batch.
    mixes_samples = False
    # Whether the hooks work on channels-first images too.
    any_data_format = False
    # Whether `sample` applies `rate` itself.
    samples_rate = False
    # Whether floats become whole levels, also by what `spare` leaves: those of images not touched are put back.
    rounds_floats = False
    # Whether masks are moved alike, whatever their height and width.
    moves_masks_of_any_size = False
    # Whether every pixel stays where it is: masks and boxes then stay as they are.
    keeps_places = False
    # Whether `transform_images` may get a part of the batch, with that part of every tensor in `params`, at each time.
    works_in_parts = False
    # How many boxes come out for each that goes in.
    box_growth = 1
    # How many samples come out for each that goes in.
    copies = 1
    # Whether the numbers of the calls have to be 0, 1, 2, ... over all epochs.
    counts_calls = False

    def __init__(
        self,
        rate: float = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        value_range: tuple[float, float] = (0, 255),
        bounding_box_format: str = "xyxy",
        min_visible: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(seed, autocast=False, **kwargs)
        self.rate = checks.rate("rate", rate)
        if data_format is not None:
            checks.one_of("data_format", data_format, ("channels_last", "channels_first"))
        self.data_format = data_format or keras.config.image_data_format()
        self.value_range = checks.interval("value_range", value_range)
        self.bounding_box_format = checks.one_of("bounding_box_format", bounding_box_format, _boxes.FORMATS)
        self.min_visible = checks.rate("min_visible", min_visible)
        self.built = True

    # What a trick writes

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """All that is random about a batch of images of `shape` (batch, height, width, channels)."""
        raise NotImplementedError(f"{type(self).__name__} must write `sample`")

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, (batch, height, width, channels), changed as `params` says."""
        raise NotImplementedError(f"{type(self).__name__} must write `transform_images`")

    def transform_labels(self, labels: Tensor, params: Params) -> Tensor:
        """The labels, changed as `params` says: as they are, unless a trick mixes them."""
        return labels

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """Segmentation masks, (batch, height, width, channels), moved as the images are."""
        if self.keeps_places:
            return masks
        raise ValueError(f"{type(self).__name__} does not handle `segmentation_masks`.")

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """ "boxes", (left, top, right, bottom) in pixels, (batch, count, 4), and "labels", moved as the images are.

        They may leave the image: the base clips them.
        """
        if self.keeps_places:
            return boxes
        raise ValueError(f"{type(self).__name__} does not handle `bounding_boxes`.")

    def spare(self, params: Params, touched: Tensor) -> Params:
        """`params` that leave the images that are not `touched`, a (batch,) bool, as they are.

        A trick with a neutral value (a factor of 1, an empty box) puts that in; this one costs a pass over the batch.
        """
        return params | {"touched": touched}

    def inference_params(self, shape: tuple[Any, ...]) -> Params | None:
        """What to do to a batch at inference; None, for nothing, unless the trick changes the size of the images."""
        return None

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """Height and width of the images that come out."""
        return height, width

    @property
    def draws(self) -> bool:
        """Whether anything is drawn, its arguments being what they are."""
        if self.drawn_from is None or self.rate < 1 or not self._is_ours:
            return self.is_random
        return any(isinstance(getattr(self, name), tuple) for name in self.drawn_from)

    @property
    def computes_pixels(self) -> bool:
        """Whether a new pixel costs more than to copy an old one or to replace it by a constant."""
        return not self.keeps_dtype

    @property
    def samples_pixels(self) -> bool:
        """Whether `sample` makes something for each pixel."""
        return False

    def check_labels(self, labels: Tensor) -> None:
        """Raises if labels whose values are known are not what the trick can use."""

    # What the base does

    def call(self, inputs: Any, labels: Any = None, sample_weight: Any = None, *, training: bool | None = True) -> Any:
        """The batch, augmented; itself if not `training`."""
        batch, give_back = _batch.name_parts(inputs, labels, sample_weight)
        call = self._next_call() if training else None
        return give_back(self.run(batch, call))

    def _next_call(self) -> Tensor:
        """The number of this call."""
        if not self.draws:
            return NO_CALL
        if self.counts_calls and self.stream.worker_place() is not None:
            raise ValueError(
                f"{self.name} tells the epoch from the number of the call, and each worker process counts its own. "
                "Use `keras_tricks.Trainer(model, augment=[...])`, or call it where the batches come together."
            )
        return self.stream.next_state()[1]

    def __call__(self, inputs: Any, labels: Any = None, sample_weight: Any = None, *, training: Any = None) -> Any:
        """See `call`; also takes TensorFlow's tensors inside `tf.data` while another backend is active."""
        batch, give_back = _batch.name_parts(inputs, labels, sample_weight)
        _checking.check_batch(self, batch)
        if not ops.is_foreign_graph_tensor(batch["images"]):
            mode = {} if training is None else {"training": training}
            text = _batch.text_of(batch)
            if not text:
                return super().__call__(give_back(batch), **mode)
            return give_back(self._beside_text(batch, text, mode))
        with ops.tensorflow_graph() as tensorflow_ops:
            call = None
            if training in (None, True):
                call = tensorflow_ops.next_call(self) if self.draws else NO_CALL
            return give_back(self.run(batch, call))

    def _beside_text(self, batch: Batch, text: Batch, mode: dict[str, Any]) -> Batch:
        """The batch augmented, with the parts that are text, which only `copies` concern."""
        numbers = {name: part for name, part in batch.items() if name not in text}
        if self.copies == 1 or len(batch["images"].shape) == 3:
            changed = dict(super().__call__(numbers, **mode))
        else:
            count = batch["images"].shape[0]
            changed = dict(super().__call__(numbers | {ROWS: np.arange(count)}, **mode))
            rows = keras.ops.convert_to_numpy(changed.pop(ROWS))
            text = {name: _batch.rows_of_text(name, part, rows, count) for name, part in text.items()}
        return {name: text[name] if name in text else changed[name] for name in batch}

    def numbered(self, inputs: Any, call: Tensor) -> Any:
        """A batch as call number `call`, an int32 scalar, makes it; the layer's own count of calls stays as it is."""
        batch, give_back = _batch.name_parts(inputs)
        _checking.check_batch(self, batch)
        if not ops.is_foreign_graph_tensor(batch["images"]):
            return give_back(self.run(batch, call))
        with ops.tensorflow_graph():
            return give_back(self.run(batch, call))

    def run(self, batch: Batch, call: Tensor | None) -> Batch:
        """A batch of named parts through call number `call`, in the dtype of this layer; None is inference."""
        images = batch["images"]
        if len(images.shape) == 3:
            return _batch.drop_batch_axis(self.run(_batch.add_batch_axis(batch), call))
        if call is None and not self.is_random and compiled.is_outside():
            call = NO_CALL
        if call is None or not self.supports_jit:
            return self.run_once(batch, call)
        return chain.after_another(lambda batch: compiled.run(self, batch, call), batch)

    def is_one_operation(self, batch: Batch) -> bool:
        """Whether TensorFlow has an operation for this that it does sooner than what its compiler makes."""
        return False

    def run_once(self, batch: Batch, call: Tensor | None) -> Batch:
        """`run` for a batch with its first axis, as it is compiled."""
        batch = self.infer(batch) if call is None else self.augment(batch, call)
        if not self.keeps_dtype:
            batch["images"] = ops.cast(batch["images"], self.compute_dtype)
        return batch

    def signature(self) -> Any:
        """What `run_once` depends on beside its arguments and the states of `streams`, the same for layers alike."""
        return type(self), self.compute_dtype, self.seed is None, self.stream.owner_name, compiled.attributes(self)

    def streams(self) -> list[Stream]:
        """The stream of this layer, and those of its members."""
        return [self.stream]

    def augment(self, batch: Batch, call: Tensor, place: str = "", seed: Tensor | None = None) -> Batch:
        """A new batch from a batch of named parts, drawn from this layer's stream for call number `call`.

        `place` is the position inside an enclosing layer, and `seed` that layer's, for a member without a seed.
        """
        return self.augment_some(batch, None, call, place, seed)

    def augment_some(self, batch: Batch, wanted: Tensor | None, call: Tensor, place: str, seed: Tensor | None) -> Batch:
        """As `augment`, where only the images `wanted`, (batch,) bools, are looked at afterwards; None for all."""
        key = self.stream_key(call, place, seed) if self.draws else None
        shape = self.channels_last_shape(batch["images"])
        return self.transform(batch, self._draw(shape, key, wanted))

    def _draw(self, shape: tuple[Any, ...], key: Tensor | None, wanted: Tensor | None) -> Params:
        """What `sample` draws, neutral for the images that are left as they are."""
        given = (key,) if wanted is None else (key, wanted)
        known = None if self.samples_pixels or not self._is_ours else ops.host_arrays(*given)
        if known is None:
            return _batch.map_arrays(_made_once, self._drawn(shape, *given))
        params: Params = _batch.by_numpy(lambda *arrays: self._drawn(shape, *arrays), known)
        return params

    @property
    def _is_ours(self) -> bool:
        """Whether the hooks are known to use `ops` alone, and their arguments for nothing else."""
        return type(self).__module__.startswith("keras_tricks.")

    def _drawn(self, shape: tuple[Any, ...], key: Tensor | None, wanted: Tensor | None = None) -> Params:
        params = self.sample(shape, key)
        touched = wanted
        if self.rate < 1 and not self.samples_rate:
            touched = random.bernoulli(random.split(key, 1)[0], shape[:1], self.rate)
            touched = touched if wanted is None else ops.logical_and(touched, wanted)
        if touched is None:
            return params
        return self.spare(params, touched) | ({"touched_floats": touched} if self.rounds_floats else {})

    def infer(self, batch: Batch) -> Batch:
        """What this layer does to a batch at inference."""
        params = self.inference_params(self.channels_last_shape(batch["images"]))
        return self.as_moved(batch) if params is None else self.transform(batch, params)

    def as_moved(self, batch: Batch) -> Batch:
        """The batch, its boxes in the types that they have after training."""
        if self.keeps_places or batch.get("bounding_boxes") is None:
            return dict(batch)
        return batch | {"bounding_boxes": _boxes.in_types_of_hooks(batch["bounding_boxes"])}

    def transform(self, batch: Batch, params: Params) -> Batch:
        """A new batch, each part changed by its hook."""
        if batch.get("keypoints") is not None and not self.keeps_places:
            raise ValueError(
                f"{type(self).__name__} moves images, masks and boxes, and not `keypoints`: leave them out."
            )
        if batch.get("segmentation_masks") is not None and not self.keeps_places:
            _checking.check_masks(self, batch["segmentation_masks"], self.channels_last_shape(batch["images"]))
        hooks = {
            "images": self._transform_images,
            "labels": self.transform_labels,
            "segmentation_masks": self._transform_masks,
        }
        changed = {
            name: self._choose(hooks[name](part, params), part, params) if name in hooks and part is not None else part
            for name, part in batch.items()
        }
        if batch.get("bounding_boxes") is not None:
            sizes = [self.channels_last_shape(side["images"])[1:3] for side in (batch, changed)]
            changed["bounding_boxes"] = self._transform_boxes(batch["bounding_boxes"], params, *sizes)
        return changed

    def stream_key(self, call: Tensor, place: str = "", seed: Tensor | None = None) -> Tensor:
        """The key of this layer's draws in call number `call`."""
        own = self.seed_word() if self.seed is not None or seed is None else seed
        return random.key((own, call), random.words(f"{self.stream.salt}{place}") if place else self.stream.salt)

    def seed_word(self) -> Tensor | int:
        """The seed of this layer's stream, which is saved with it and may come from a file."""
        if ops.in_tensorflow_graph():
            return int(self.stream.state_to_save()[0])
        return self.stream.seed_word()

    def compute_output_spec(self, inputs: Any, labels: Any = None, sample_weight: Any = None, **_: Any) -> Any:
        """The symbolic images that come out, at the head of a model."""
        if not isinstance(inputs, keras.KerasTensor) or labels is not None:
            raise ValueError(
                f"Inside a model {type(self).__name__} takes images alone. Received: inputs={inputs}, labels={labels}"
            )
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=inputs.dtype if self.keeps_dtype else self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the images that come out, from that of those that go in; at training `copies` times as many."""
        shape = list(input_shape)
        rows = len(shape) - (3 if self.data_format == "channels_last" else 2)
        shape[rows : rows + 2] = self.output_size(*shape[rows : rows + 2])
        return tuple(shape)

    def known_channels(self, images: Tensor) -> int:
        """The number of channels of images, channels last, for a trick that has to know it before it runs."""
        return _checking.known_channels(self, images)

    def channels_last_shape(self, images: Tensor) -> tuple[Any, ...]:
        """(batch, height, width, channels) of images in this layer's `data_format`."""
        shape = ops.shape(images)
        return shape if self.data_format == "channels_last" else (shape[0], shape[2], shape[3], shape[1])

    def _transform_images(self, images: Tensor, params: Params) -> Tensor:
        if self.works_in_parts and ops.is_torch(images):
            from keras_tricks.augment._torch_parts import in_parts, type_of_width

            width = images.element_size() if self.keeps_dtype and not self.computes_pixels else 4
            # A trick of somebody else's may go on with what it was given.
            own = self._is_ours and self.keeps_places and (not self.keeps_dtype or images.dtype == type_of_width(width))
            return in_parts(self._transform_part, images, params, width, own)
        return self._transform_part(images, params)

    def _transform_part(self, images: Tensor, params: Params) -> Tensor:
        if not self.keeps_dtype and (self.casts_first or ops.is_torch(images)):
            images = ops.cast(images, "float32")
        return self._in_channels_last(self.transform_images, images, params)

    def _transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        if self.keeps_places:
            return self.transform_masks(masks, params)
        if len(masks.shape) == 4:
            return self._in_channels_last(self.transform_masks, masks, params)
        if self.data_format == "channels_first":
            return self._in_channels_last(self.transform_masks, masks[:, None], params)[:, 0]
        return self.transform_masks(masks[..., None], params)[..., 0]

    def _transform_boxes(self, boxes: Boxes, params: Params, size: tuple[Any, Any], new_size: tuple[Any, Any]) -> Boxes:
        corners = _boxes.to_corners(boxes, self.bounding_box_format, *size)
        moved = self.transform_boxes(corners, params)
        if moved is corners:
            return boxes
        if "touched" in params:
            moved = moved | {name: self._choose(moved[name], corners[name], params) for name in ("boxes", "labels")}
        moved = _boxes.clip(moved, *new_size, self.min_visible)
        return _boxes.from_corners(moved, self.bounding_box_format, *new_size, _boxes.label_name(boxes))

    def _in_channels_last(self, hook: Any, images: Tensor, params: Params) -> Tensor:
        if self.data_format == "channels_last" or self.any_data_format:
            return hook(images, params)
        return _batch.channels_first(hook(_batch.channels_last(images), params))

    def _choose(self, changed: Tensor, original: Tensor, params: Params) -> Tensor:
        if changed is original:
            return changed
        touched = params.get("touched")
        if touched is None and "float" in str(changed.dtype):
            touched = params.get("touched_floats")
        if touched is None:
            return changed
        touched = ops.reshape(touched, (-1,) + (1,) * (len(changed.shape) - 1))
        return ops.where(touched, changed, ops.cast(original, changed.dtype))


def _made_once(param: Any) -> Any:
    """One number for each image: XLA would draw it anew for each pixel, and for each pass over the pixels.

    Several for each, written again, were slower in a whole recipe on TensorFlow.
    """
    return ops.once(param) if len(getattr(param, "shape", ())) == 1 else param
