"""One seed, one stream, on every backend: counter-based random numbers in 32-bit integer arithmetic.

A *key* is an int32 tensor of shape (2,), hashed from (seed, call number) and a salt that says whose stream it is.
The number at each position of a draw is a hash of the key and the position. Nothing is stateful, so a given key gives
the same numbers eagerly, under `jax.jit`, XLA, `tf.data` and torch: bits, integers and uniforms bit for bit, the
others to float32 rounding. Two draws from one key are the same numbers: `split` a key to draw twice.

The mixing function is the two-multiplication finaliser "lowbias32" found by Wellons' search
(https://nullprogram.com/blog/2018/07/31/), applied twice with half a key each time.
"""

import functools
import hashlib
import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_tricks._core import checks, ops

GOLDEN_RATIO = 0x9E3779B9
BETA_TABLE_SIZE = 4097
# The outermost draws have u = 2**-25 and 1 - 2**-25: the table of Beta spans their log-odds, and a little more, so
# that no rounding leads out of it.
BETA_TABLE_EDGE = math.log(2.0**25) + 0.01
# As many numbers NumPy draws faster than torch, whose operations each take a time of their own.
FEW = 2**14
# A shift and a factor for each of the rounds of the mixing function.
MIXING = ((16, 0x21F0AAAD), (15, 0xD35A2D97))
KEY_MULTIPLIERS = np.array([[GOLDEN_RATIO, 0x85EBCA6B], [0xC2B2AE35, 0x27D4EB2F]]).astype("uint32").view("int32")

Tensor = Any


def to_int32(value: int) -> int:
    """The signed number with the same low 32 bits as `value`."""
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def words(text: str) -> tuple[int, int]:
    """Two 32-bit words that stand for `text`."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return to_int32(int.from_bytes(digest[:4], "little")), to_int32(int.from_bytes(digest[4:], "little"))


def key(state: Any, salt: tuple[int, int]) -> Tensor:
    """The key of call number `state[1]` of seed `state[0]`, int32, in the stream named by the two words of `salt`."""
    seed, call = state[0], state[1]
    known = _known_numbers(seed, call)  # no ":=" here: AutoGraph knows none
    if known is not None:
        factors = zip(*KEY_MULTIPLIERS.tolist(), salt, strict=True)
        sums = [known[0] * of_seed + known[1] * of_call + word for of_seed, of_call, word in factors]
        return ops.from_host(np.array([_mix_number(total) for total in sums], "uint32").view("int32"))
    multipliers, salt_words = ops.constant(KEY_MULTIPLIERS, call), ops.constant(np.array(salt, "int32"), call)
    return _mix(seed * multipliers[0] + call * multipliers[1] + salt_words)


def split(key: Tensor, count: int) -> list[Tensor]:
    """`count` keys whose streams are independent of each other and of `key`'s own."""
    host = ops.host_array(key)
    if host is not None:
        return list(ops.from_host(_mix(_mix(host[None, :] ^ _split_salts(count)) + host[None, ::-1])))
    salts = np.array([words(f"split {index}") for index in range(count)], "int32")
    children = _mix(_mix(ops.bitwise_xor(key[None, :], ops.constant(salts, key))) + ops.flip(key, axis=0)[None, :])
    return [children[index] for index in range(count)]


def bits(key: Tensor, shape: Sequence[Any]) -> Tensor:
    """Uniform 32-bit integers as int32, of `shape` (integers, or scalar tensors in a graph)."""
    return ops.reshape(_bits(key, _product(shape)), shape)


def bits_of(key: Tensor, identities: Tensor) -> Tensor:
    """Uniform 32-bit integers as int32, the same for the same int32 identity, whatever else is drawn."""
    return _mix(_mix(ops.bitwise_xor(identities * to_int32(GOLDEN_RATIO), key[0])) + key[1])


def uniform(key: Tensor, shape: Sequence[Any]) -> Tensor:
    """float32 numbers uniform in [0, 1): the multiples of 2**-24."""
    few = _few_bits(key, shape)
    if few is not None:
        return ops.from_host(_high_bits(few).astype("float32") * np.float32(2.0**-24))
    return ops.cast(_high_bits(bits(key, shape)), "float32") * 2.0**-24


def integers(key: Tensor, shape: Sequence[Any], low: Any, high: Any) -> Tensor:
    """int32 numbers uniform in [low, high), for high - low of at most 2**24; either may be a scalar tensor."""
    if isinstance(low, int) and isinstance(high, int) and not 0 < high - low <= 2**24:
        raise checks.fail("high", f"above low={low} by at most 2**24", high)
    return ops.cast(ops.floor(uniform(key, shape) * ops.number(high - low)), "int32") + low


def spread(uniforms: Tensor, span: float | tuple[float, float]) -> Tensor:
    """Uniform numbers in [0, 1) over a pair `(low, high)`; a single number stays fixed."""
    low, high = checks.ends(span)
    return low + (high - low) * uniforms


def within(key: Tensor, shape: Sequence[Any], span: float | tuple[float, float]) -> Tensor:
    """Draws from U(low, high) for a `span` that is a pair, or that number in each place."""
    if isinstance(span, tuple):
        return spread(uniform(key, shape), span)
    return ops.zeros(shape, "float32") + span


def bernoulli(key: Tensor, shape: Sequence[Any], rate: Any) -> Tensor:
    """True with probability `rate`."""
    return uniform(key, shape) < rate


def normal(key: Tensor, shape: Sequence[Any]) -> Tensor:
    """float32 numbers from N(0, 1), at most 5.3 from 0.

    By the inverse of the distribution function, in the rational approximations PPND7 of Wichura's algorithm AS 241
    (1988), good to seven digits; the backends' own inverse error functions differ from each other by 1e-3.
    """
    symmetric = _symmetric_uniform(key, shape)
    middle = 0.180625 - 0.25 * symmetric * symmetric
    central = (
        0.5
        * symmetric
        * _polynomial(middle, 59.109374720, 159.29113202, 50.434271938, 3.3871327179)
        / _polynomial(middle, 67.187563600, 78.757757664, 17.895169469, 1.0)
    )
    distance = ops.abs(symmetric)
    tail = ops.sqrt(-ops.log(0.5 - 0.5 * distance)) - 1.6
    outer = _polynomial(tail, 0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777) / _polynomial(
        tail, 0.12021132975, 0.73700164250, 1.0
    )
    return ops.where(distance <= 0.85, central, ops.where(symmetric < 0, -outer, outer))


def noise_bytes(key: Tensor, rows: Any, length: Any) -> Tensor:
    """uint8 noise of shape (rows, length), each row uniform and independent from place to place.

    Cheaper than `bits`: one row of words is drawn, and each row scrambles it by two words of its own, so that equal
    places of two rows are uncorrelated, though not independent.
    """
    return bytes_of(*noise_words(key, rows, (length + 3) // 4), rows, length)


def noise_words(key: Tensor, rows: Any, count: Any) -> tuple[Tensor, Tensor]:
    """What noise is made of: (1, count) words that all rows share, and (rows, 2), by which each scrambles them."""
    shared_key, own_key = split(key, 2)
    return _bits(shared_key, count)[None, :], bits(own_key, (rows, 2))


def scrambled(shared: Tensor, own: Tensor) -> Tensor:
    """The words of noise of each row, (rows, count) int32."""
    return _xor_shift(ops.bitwise_xor(shared, own[:, :1]) * (2 * own[:, 1:] + 1), 16)


def bytes_of(shared: Tensor, own: Tensor, rows: Any, length: Any) -> Tensor:
    """The noise of `noise_bytes`."""
    words = scrambled(shared, own)
    # TensorFlow's compiler makes all words sooner than the word of each byte that it comes to.
    words = ops.once(words) if ops.is_tensorflow() else words
    return ops.reshape(_bytes_in(words), (rows, (length + 3) // 4 * 4))[:, :length]


def bytes_by_words(shared: Tensor, own: Tensor) -> Tensor:
    """The noise of `noise_bytes`, by the words that it comes in: (rows, words, 4)."""
    return _bytes_in(scrambled(shared, own))


def noise_normal(key: Tensor, rows: Any, length: Any) -> Tensor:
    """float32 noise from N(0, 1) of shape (rows, length), at most 4.3 from 0; drawn as `noise_bytes` is."""
    return normal_of(*noise_words(key, rows, (length + 1) // 2), rows, length)


def normal_of(shared: Tensor, own: Tensor, rows: Any, length: Any) -> Tensor:
    """The noise of `noise_normal`."""
    noise = scrambled(shared, own)[..., None]
    halves = ops.once(ops.concatenate([noise, ops.right_shift(noise, 16)], axis=-1))
    places = ops.bitwise_and(ops.reshape(halves, (rows, (length + 1) // 2 * 2))[:, :length], 0xFFFF)
    return ops.take(ops.constant(_normal_table(), own), places, axis=0)


def permutation(key: Tensor, count: Any) -> Tensor:
    """The numbers 0 ... count - 1, int32, in random order."""
    return ops.cast(ops.argsort(_bits(key, count)), "int32")


def choice(key: Tensor, shape: Sequence[Any], weights: Sequence[float]) -> Tensor:
    """int32 indices into `weights` (constants, not negative, of any sum above 0), each with its share of the sum."""
    shares = np.asarray(weights, "float64")
    if shares.ndim != 1 or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise checks.fail("weights", "a list of numbers not below 0 with a sum above 0", weights)
    # The last edges are 1 exactly, so that rounding can never pick an index whose weight is 0.
    edges = np.cumsum(shares) / shares.sum()
    edges[np.flatnonzero(shares)[-1] :] = 1.0
    passed = uniform(key, shape)[..., None] >= ops.constant(edges.astype("float32"), key)
    return ops.sum(ops.cast(passed, "int32"), axis=-1)


def beta(key: Tensor, shape: Sequence[Any], a: float, b: float) -> tuple[Tensor, Tensor]:
    """`(x, 1 - x)` with x from Beta(a, b), float32, for constants a and b.

    Both are computed from the log-odds of x, so that the one that is near 0 keeps its digits: for small a and b most
    of the law lies closer to 0 and 1 than float32 can tell from them in x alone.
    """
    symmetric = _symmetric_uniform(key, shape)
    if a == 1 and b == 1:
        return 0.5 + 0.5 * symmetric, 0.5 - 0.5 * symmetric
    log_odds = ops.log((1.0 + symmetric) / (1.0 - symmetric))
    position = (log_odds + BETA_TABLE_EDGE) * ((BETA_TABLE_SIZE - 1) / (2 * BETA_TABLE_EDGE))
    left = ops.floor(position)
    table = ops.constant(_beta_table(float(a), float(b)), key)
    index = ops.cast(left, "int32")
    low, high = ops.take(table, index, axis=0), ops.take(table, index + 1, axis=0)
    quantile = low + (high - low) * (position - left)
    return ops.sigmoid(quantile), ops.sigmoid(-quantile)


def _bits(key: Tensor, count: Any) -> Tensor:
    few = _few_bits(key, (count,))
    if few is not None:
        return ops.from_host(few)
    return bits_of(key, ops.arange(count, dtype="int32"))


def _bytes_in(words: Tensor) -> Tensor:
    return ops.view(words[..., None], "uint8")


def _known_numbers(seed: Any, call: Any) -> tuple[int, int] | None:
    """Seed and call number, where a tensor of torch in the host's memory says one of them."""
    if isinstance(seed, int) and isinstance(call, int):
        return None
    seed, call = (word if isinstance(word, int) else ops.host_array(word) for word in (seed, call))
    return None if seed is None or call is None else (int(seed), int(call))


def _mix_number(value: int) -> int:
    """`_mix` of one number, faster than NumPy's operations on it: the 32 bits of what comes out, not negative."""
    for shift, factor in MIXING:
        value &= 0xFFFFFFFF
        value = (value ^ (value >> shift)) * factor
    value &= 0xFFFFFFFF
    return value ^ (value >> 15)


def _few_bits(key: Tensor, shape: Sequence[Any]) -> np.ndarray | None:
    """`bits` as NumPy computes them, where that is faster."""
    if not all(isinstance(side, int) for side in shape) or math.prod(shape) > FEW:
        return None
    host = ops.host_array(key)
    return None if host is None else bits_of(host, np.arange(math.prod(shape), dtype="int32")).reshape(shape)


def _high_bits(bits: Tensor) -> Tensor:
    return ops.bitwise_and(ops.right_shift(bits, 8), 0xFFFFFF)


@functools.cache
def _split_salts(count: int) -> np.ndarray:
    return np.array([words(f"split {index}") for index in range(count)], "int32")


def _mix(value: Tensor) -> Tensor:
    """A bijection of 32-bit words in which every bit of the result depends on every bit of `value`."""
    if isinstance(value, np.ndarray):
        return _mix_array(value.astype("uint32")).view("int32")
    for shift, factor in MIXING:
        value = _xor_shift(value, shift) * to_int32(factor)
    return _xor_shift(value, 15)


def _mix_array(words: np.ndarray) -> np.ndarray:
    """`_mix` of unsigned words, in their memory."""
    for shift, factor in MIXING:
        words ^= words >> np.uint32(shift)
        words *= np.uint32(factor)
    words ^= words >> np.uint32(15)
    return words


def _xor_shift(value: Tensor, count: int) -> Tensor:
    # int32 shifts copy the sign: the mask makes the shift a logical one.
    return ops.bitwise_xor(value, ops.bitwise_and(ops.right_shift(value, count), (1 << (32 - count)) - 1))


def _symmetric_uniform(key: Tensor, shape: Sequence[Any]) -> Tensor:
    """The odd multiples of 2**-24 between -1 and 1: uniform, symmetric, never 0, -1 or 1, exact in float32."""
    return ops.cast(2 * _high_bits(bits(key, shape)) + (1 - 2**24), "float32") * 2.0**-24


def _polynomial(value: Tensor, *coefficients: float) -> Tensor:
    """Horner's rule, the highest power first."""
    return functools.reduce(lambda total, coefficient: total * value + coefficient, coefficients)


def _product(shape: Sequence[Any]) -> Any:
    return functools.reduce(lambda left, right: left * right, shape, 1)


@functools.cache
def _normal_table() -> np.ndarray:
    """The quantiles of N(0, 1) in the middle of 2**16 equal shares."""
    upper = [statistics.NormalDist().inv_cdf(0.5 + (index + 0.5) / 2**16) for index in range(2**15)]
    return np.array([-value for value in reversed(upper)] + upper, "float32")


@functools.cache
def _beta_table(a: float, b: float) -> np.ndarray:
    """The log-odds of the quantiles of Beta(a, b), over an even grid of the log-odds of their probability.

    In these coordinates the quantile function is smooth and straight at both ends, whatever a and b are, so that a
    linear interpolation resolves both tails.
    """
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    # 40 standard deviations to each side, or where the law is wider all that float64 tells from the tails.
    centre = math.log(a / b)
    reach = min(40 + abs(centre), 40 * math.sqrt(1 / a + 1 / b))
    grid = np.linspace(centre - reach, centre + reach, 80_001)
    x, rest = 1 / (1 + np.exp(-grid)), 1 / (1 + np.exp(grid))
    density = np.exp(-a * np.logaddexp(0.0, -grid) - b * np.logaddexp(0.0, grid) - log_beta)
    pieces = (density[1:] + density[:-1]) * ((grid[1] - grid[0]) / 2)
    # Beyond the grid the density falls like an exponential, of the slope it has at the ends.
    first = max(density[0] / (a * rest[0] - b * x[0]), 5e-324)
    last = max(density[-1] / (b * x[-1] - a * rest[-1]), 5e-324)
    below = first + np.concatenate([[0.0], np.cumsum(pieces)])
    above = last + np.concatenate([[0.0], np.cumsum(pieces[::-1])])
    odds = np.log(below) - np.log(above[::-1])
    wanted = np.linspace(-BETA_TABLE_EDGE, BETA_TABLE_EDGE, BETA_TABLE_SIZE)
    inside = np.interp(wanted, odds, grid)
    log_below = -np.logaddexp(0.0, -wanted)
    log_above = -np.logaddexp(0.0, wanted)
    left = (log_below + log_beta + math.log(a)) / a
    right = -(log_above + log_beta + math.log(b)) / b
    table = np.where(wanted < odds[0], left, np.where(wanted > odds[-1], right, inside))
    return table.astype("float32")
