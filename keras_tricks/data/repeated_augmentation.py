"""RepeatedAugmentation."""

from collections.abc import Iterator

import numpy as np

from keras_tricks._core import checks


class RepeatedAugmentation:
    """An order of the images in which each comes several times in a row, to be augmented differently each time.

    In each epoch the images are shuffled, each is repeated `count` times, and the order is cut off after
    `floor(samples / multiple_of) * multiple_of` entries, as in the original: an epoch costs what it always costs and
    sees about a `count`-th of the images, others in each epoch. Replicas deal the order out among them one by one, so
    that the versions of an image meet in one update.

    It is a `sampler` for torch's `DataLoader`, without needing torch; for arrays and `keras.utils.PyDataset` there is
    `order(epoch)`.

    Helps when: augmentation is strong and training long; the papers claim better accuracy on ImageNet at an equal
    number of updates, and DeiT counts it among its key ingredients.
    Hurts when: training is short: fewer images are seen for each update.
    Cost: none.

    Args:
        samples: How many images there are.
        count: How many times each comes, at least 1.
        multiple_of: Of what the entries of an epoch are a multiple, at most `samples`; 256 in the original, 1 cuts off
            after `samples`.
        seed: An integer in [0, 2**31); an epoch's order depends on it and on the epoch alone.
        replica: Which of `replicas` this is, from 0.
        replicas: How many processes share the order.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        ```python
        sampler = kt.data.RepeatedAugmentation(samples=60000, count=3, seed=1)
        assert len(sampler) == 59904
        first = sampler.order(epoch=0)
        assert first[0] == first[1] == first[2]
        ```

    Reference: [Hoffer et al., 2019](https://arxiv.org/abs/1901.09335);
        [Touvron et al., 2020](https://arxiv.org/abs/2012.12877)
    """

    def __init__(
        self,
        samples: int,
        count: int = 3,
        multiple_of: int = 256,
        seed: int = 0,
        replica: int = 0,
        replicas: int = 1,
    ):
        self.samples = checks.count("samples", samples)
        self.count = checks.count("count", count)
        self.multiple_of = checks.count("multiple_of", multiple_of)
        if multiple_of > samples:
            raise checks.fail("multiple_of", f"at most samples={samples}", multiple_of)
        checked = checks.seed("seed", seed)
        if checked is None:
            raise checks.fail("seed", "an integer in [0, 2**31)", seed)
        self.seed = checked
        self.replicas = checks.count("replicas", replicas)
        self.replica = checks.count("replica", replica, minimum=0)
        if replica >= replicas:
            raise checks.fail("replica", f"below replicas={replicas}", replica)
        self.epoch = 0

    def order(self, epoch: int) -> np.ndarray:
        """The indices of this replica's images in `epoch`, int64."""
        shuffled = np.random.default_rng((self.seed, checks.count("epoch", epoch, minimum=0))).permutation(self.samples)
        repeated = np.repeat(shuffled, self.count)
        # Dealt out evenly: where the last round is not full, it begins from the front again.
        rounds = -(-len(repeated) // self.replicas)
        dealt = np.resize(repeated, rounds * self.replicas)[self.replica :: self.replicas]
        return dealt[: len(self)]

    def set_epoch(self, epoch: int) -> None:
        """The next iteration goes through `epoch`."""
        self.epoch = checks.count("epoch", epoch, minimum=0)

    def __iter__(self) -> Iterator[int]:
        """The indices of the epoch that is due; the iteration after it goes through the next one."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        return iter(self.order(epoch).tolist())

    def __len__(self) -> int:
        """How many indices an epoch has for this replica."""
        return self.samples // self.multiple_of * self.multiple_of // self.replicas
