"""How the augmentations work that are made of others: one after another, or one of them for each image."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks._core.stream import Stream
from keras_tricks.augment._base import Batch, BatchAugmentation, Boxes, Tensor
from keras_tricks.augment._batch import map_arrays, map_entries
from keras_tricks.augment._mixing import MixingAugmentation

CHANGED = ("images", "labels", "sample_weight", "segmentation_masks", "bounding_boxes")


class CompositeAugmentation(BatchAugmentation):
    """Base of the augmentations with `members`: a trick writes `members`, `augment`, `infer` and `output_size`.

    Each member draws from a stream of its own: keyed by its seed (or else by the composite's), its class, an explicit
    name and its position.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `bounding_box_format`: see `BatchAugmentation`.
    """

    @property
    def members(self) -> list[BatchAugmentation]:
        """The augmentations that this one is made of."""
        raise NotImplementedError(f"{type(self).__name__} must write `members`")

    @property
    def computes_pixels(self) -> bool:
        """Whether any of the members does."""
        return any(layer.computes_pixels for layer in self.members)

    def checked_members(self, argument: str, layers: Iterable[BatchAugmentation]) -> list[BatchAugmentation]:
        """`layers` as a list, if all of them are augmentations of the same forms as this one."""
        members = list(layers)
        for layer in members:
            if not isinstance(layer, BatchAugmentation):
                raise checks.fail(argument, "made of keras_tricks.augment layers", layer)
            for name in ("data_format", "bounding_box_format"):
                wanted, own = getattr(self, name), getattr(layer, name)
                if own != wanted:
                    raise ValueError(
                        f"All members must have {name}={wanted!r}. Received: {layer.name} with {name}={own!r}"
                    )
        self.mixes_samples = any(layer.mixes_samples for layer in members)
        self.counts_calls = any(layer.counts_calls for layer in members)
        self.supports_jit = all(layer.supports_jit for layer in members)
        return members

    def streams(self) -> list[Stream]:
        """The stream of this layer, and those of its members."""
        return [self.stream, *(stream for layer in self.members for stream in layer.streams())]

    def inner_stream(self, place: str, seed: Tensor | None) -> tuple[Tensor, str]:
        """The seed for members that have none of their own, and the place to which their positions are appended."""
        own = self.seed_word() if self.seed is not None or seed is None else seed
        return own, f"{place}/{self.stream.owner_name}:" if self.stream.owner_name else place

    def mixing_members(self) -> Iterator[MixingAugmentation]:
        """The members that mix labels, and those of the members."""
        for layer in self.members:
            if isinstance(layer, CompositeAugmentation):
                yield from layer.mixing_members()
            elif isinstance(layer, MixingAugmentation):
                yield layer


class ChoosingAugmentation(CompositeAugmentation):
    """Base of the augmentations that apply one of several members, or none, to each image: a trick writes `shares`.

    Everything that belongs to an image, labels, weights, masks and boxes, comes from the member that was drawn for it.
    Mixing members take every partner from the batch as it came in.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `bounding_box_format`: see `BatchAugmentation`.
    """

    per = "image"

    def shares(self) -> list[float]:
        """The probability of each member."""
        raise NotImplementedError(f"{type(self).__name__} must write `shares`")

    def checked_members(self, argument: str, layers: Iterable[BatchAugmentation]) -> list[BatchAugmentation]:
        """As every composite's, of which any can stand for any other."""
        members = super().checked_members(argument, layers)
        for layer in members:
            if layer.copies != 1:
                raise checks.fail(argument, "augmentations that keep the size of the batch", layer)
        self.keeps_dtype = all(layer.keeps_dtype for layer in members)
        self.keeps_places = all(layer.keeps_places for layer in members)
        self.box_growth = max((layer.box_growth for layer in members), default=1)
        return members

    def augment(self, batch: Batch, call: Tensor, place: str = "", seed: Tensor | None = None) -> Batch:
        """The batch, each image as the member makes it that is drawn for it."""
        shape = self.channels_last_shape(batch["images"])
        self.output_size(*(side if isinstance(side, int) else None for side in shape[1:3]))
        own, inside = self.inner_stream(place, seed)
        batch = self._with_rows(batch)
        outcomes: list[Callable[..., Batch]] = [
            partial(self._outcome, layer, batch, call=call, place=f"{inside}/{position}", seed=own)
            for position, layer in enumerate(self.members)
        ]
        outcomes.append(partial(self._untouched, batch))
        shares = [self.rate * share for share in self.shares()] + [1 - self.rate]
        possible = [index for index, share in enumerate(shares) if share > 0]
        outcomes, shares = [outcomes[index] for index in possible], [shares[index] for index in possible]
        count = () if self.per == "batch" else shape[:1]
        choice = random.choice(self.stream_key(call, place, seed), count, shares)
        if self.per == "batch":
            return batch | _run(choice, outcomes)
        wanted = [choice == index if _is_slow(batch["images"]) else None for index in range(len(outcomes))]
        chosen = _select(choice, [make(wanted=own) for make, own in zip(outcomes, wanted, strict=True)])
        return batch | chosen

    def infer(self, batch: Batch) -> Batch:
        """What the first member does at inference: all of them make images of the same size."""
        return self.as_moved(self.members[0].infer(batch))

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """The members', if they agree."""
        sizes = [layer.output_size(height, width) for layer in self.members]
        for size in sizes:
            if any(None not in pair and pair[0] != pair[1] for pair in zip(size, sizes[0], strict=True)):
                raise ValueError(
                    f"The members of {type(self).__name__} must make images of one size. Received: {sizes} from "
                    f"images of {(height, width)}"
                )
        return sizes[0]

    def check_labels(self, labels: Tensor) -> None:
        """Asks the member that turns labels into rows."""
        mixing = self._row_maker()
        if mixing is not None:
            mixing.check_labels(labels)

    def _row_maker(self) -> MixingAugmentation | None:
        """The mixing member that knows the number of classes, or else any."""
        mixing = list(self.mixing_members())
        return next((layer for layer in mixing if layer.num_classes is not None), mixing[0] if mixing else None)

    def _with_rows(self, batch: Batch) -> Batch:
        """The batch with labels as every member leaves them: rows, if one of them mixes."""
        mixing = self._row_maker()
        if mixing is None or batch.get("labels") is None:
            return dict(batch)
        return batch | {"labels": mixing.soft_rows(batch["labels"])}

    def _outcome(self, layer: BatchAugmentation, batch: Batch, wanted: Tensor | None = None, **drawing: Any) -> Batch:
        """What a member makes of the batch, in the form that all members share."""
        if wanted is not None and isinstance(layer, MixingAugmentation):
            return self._in_form(layer.augment_some(batch, wanted, **drawing), batch, layer.box_growth)
        return self._in_form(layer.augment(batch, **drawing), batch, layer.box_growth)

    def _untouched(self, batch: Batch, wanted: Tensor | None = None) -> Batch:
        """The batch as at inference, in that form."""
        return self._in_form(self.infer(batch), batch, 1)

    def _in_form(self, outcome: Batch, batch: Batch, growth: int) -> Batch:
        """What members change of an `outcome`, in types and numbers of boxes that all members share."""
        outcome = {name: outcome[name] for name in CHANGED if outcome.get(name) is not None}
        if not self.keeps_dtype:
            outcome["images"] = ops.cast(outcome["images"], "float32")
        if self.mixes_samples:
            for name in ("sample_weight", "segmentation_masks"):
                if name in outcome and "float" in str(outcome[name].dtype):
                    outcome[name] = ops.cast(outcome[name], "float32")
        if "bounding_boxes" in outcome and not self.keeps_places:
            outcome["bounding_boxes"] = _padded(
                outcome["bounding_boxes"], batch["bounding_boxes"], self.box_growth - growth
            )
        return outcome


def _is_slow(images: Tensor) -> bool:
    """Whether to say for which images a member is drawn: what torch computes for others costs as much as for them."""
    if not ops.is_torch(images):
        return False
    from keras_tricks.augment._torch_parts import are_large

    return are_large(images)


def _padded(boxes: Boxes, given: Boxes, times: int) -> Boxes:
    """`boxes` in the types of the hooks, followed by `times` as many boxes of label -1 as were `given`."""
    padded = {}
    for name, part in boxes.items():
        dtype = "float32" if name == "boxes" else "int32" if "uint" in str(part.dtype) else part.dtype
        none = ops.cast(ops.zeros_like(given[name]), dtype)
        if name != "boxes" and "bool" not in str(dtype):
            none = none - 1
        padded[name] = ops.concatenate([ops.cast(part, dtype)] + [none] * times, axis=1)
    return padded


def _select(choice: Tensor, outcomes: Sequence[Any]) -> Any:
    """Of tensors, or of dicts and lists of them, for each image the one whose index is its `choice`."""
    chosen = outcomes[0]
    if isinstance(chosen, dict):
        return {name: _select(choice, [outcome[name] for outcome in outcomes]) for name in chosen}
    if isinstance(chosen, (list, tuple)):
        return map_entries(lambda *entries: _select(choice, entries), *outcomes)
    for index, outcome in enumerate(outcomes[1:], start=1):
        if outcome is not chosen:
            drawn = ops.reshape(choice, (-1,) + (1,) * (len(outcome.shape) - 1))
            chosen = ops.where(drawn == index, outcome, chosen)
    return chosen


def _run(choice: Tensor, outcomes: Sequence[Callable[[], Batch]]) -> Batch:
    """The one outcome whose index is `choice`; the others are not computed."""
    if len(outcomes) == 1:
        return outcomes[0]()
    known = _known(choice)
    if known is not None:
        return outcomes[known]()

    def tensors(make: Callable[[], Batch]) -> Batch:
        return {name: map_arrays(ops.convert_to_tensor, part) for name, part in make().items()}

    return ops.switch(choice, [partial(tensors, make) for make in outcomes])


def _known(choice: Tensor) -> int | None:
    """The value of a scalar, waited for if it is on an accelerator; None for a traced one."""
    try:
        # Not `int`, to which AutoGraph gives another meaning.
        return operator.index(choice)
    except Exception:  # each backend has its own error for a tensor that has no value yet
        return None
