import dataclasses

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.running import to_numpy

BATCH = 8
STEPS = 12


def plan_of(boundaries=(3, 5), factor=0.5, maximum=None, **arguments):
    """The plan for a decay at these epochs, from 0.2."""
    decay = kt.schedules.Step(0.2, boundaries=[STEPS * epoch for epoch in boundaries], factor=factor)
    return decay, kt.data.equivalent_batch_growth(decay, STEPS, BATCH, maximum, **arguments)


@pytest.mark.parametrize("factor", [0.5, 0.25, 0.2, 0.1, 0.3, 0.7])
@pytest.mark.parametrize("maximum", [None, 8, 20, 40, 64])
def test_the_gradient_noise_scale_is_the_same_in_every_epoch(factor, maximum):
    """`rate * samples / batch`, of the batches and updates of a run through all epochs."""
    samples, epochs = STEPS * BATCH, 9
    decay, plan = plan_of((2, 4, 7), factor, maximum)
    growing = plan.apply((np.zeros((samples, 1)), np.zeros((samples, 1))))
    update = 0
    for epoch in range(epochs):
        by_decay = float(decay(epoch * STEPS)) * samples / BATCH
        for done in range(growing.batches_at(epoch)):
            by_growth = float(plan.schedule(update + done)) * samples / growing.batch_size_at(epoch)
            np.testing.assert_allclose(by_growth, by_decay, rtol=1e-5)
        update += growing.batches_at(epoch)
        assert growing.batch_size_at(epoch) <= (maximum or np.inf)


def test_while_batches_can_grow_the_rate_stays_and_what_is_left_is_the_rates():
    _, plan = plan_of((2, 4, 7), 0.5, 16)
    assert plan.batch_sizes == (8, 16, 16, 16)
    # 2 epochs of 12 updates, then epochs of 6: 2 and 3 of them.
    np.testing.assert_allclose(
        to_numpy(plan.schedule([0, 23, 24, 35, 36, 53, 54, 200])), [0.2] * 4 + [0.1] * 2 + [0.05] * 2, rtol=1e-6
    )
    assert (plan.boundaries, plan.factor, plan.maximum, plan.batch_size) == ((2, 4, 7), 2.0, 16, 8)
    assert plan.schedule.peak == pytest.approx(0.2)


def test_a_last_short_batch_counts_as_an_update():
    decay = kt.schedules.Step(0.2, boundaries=[5, 10], factor=0.5)  # 5 steps of 8: 33 to 40 samples
    plan = kt.data.equivalent_batch_growth(decay, 5, 8)
    for samples in (33, 40):
        growing = plan.apply((np.zeros((samples, 1)),))
        assert [growing.batches_at(epoch) for epoch in range(3)] == [5, 3, 2]
    assert plan.schedule.boundaries == [5, 8]


def test_a_schedule_that_falls_again_and_again_needs_the_epochs():
    decay = kt.schedules.Step(0.2, every=2 * STEPS, factor=0.5)
    plan = kt.data.equivalent_batch_growth(decay, STEPS, BATCH, epochs=6)
    assert plan.boundaries == (2, 4)
    with pytest.raises(ValueError, match=r"`epochs` is needed .* Received: every=24"):
        kt.data.equivalent_batch_growth(decay, STEPS, BATCH)


def test_falls_after_the_end_are_left_out():
    assert plan_of((3, 5), epochs=5)[1].boundaries == (3,)


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan_of()[1].maximum = 3


def test_its_schedule_is_saved_with_the_model(tmp_path):
    _, plan = plan_of((1, 3), 0.5, 20)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(kt.optimizers.SGD(plan.schedule), "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert loaded.get_config() == model.optimizer.get_config()


def test_data_sets_of_other_batches_are_refused():
    batches = [(np.zeros((4, 1)),)] * 5
    with pytest.raises(ValueError, match=r"`dataset` must be in batches of batch_size=8. Received: dataset=4"):
        plan_of()[1].apply(batches)


def test_data_sets_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"`dataset` must be of steps_per_epoch=12 batches. Received: dataset=5"):
        plan_of()[1].apply((np.zeros((5 * BATCH, 1)),))


def test_single_samples_are_batched_as_planned():
    samples = [np.zeros(1)] * (STEPS * BATCH)
    assert plan_of()[1].apply(samples, batch_size=BATCH).batches_at(0) == STEPS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_schedule": 0.1}, "`step_schedule` must be a keras_tricks.schedules.Step"),
        ({"step_schedule": kt.schedules.Step(0.1, [STEPS + 1])}, "Received: a boundary at step 13, with steps_per_"),
        ({"step_schedule": kt.schedules.Step(0.1, [STEPS], factor=1.0)}, "one factor below 1"),
        ({"step_schedule": kt.schedules.Step(0.1, [STEPS], factor=[0.5])}, "one factor below 1"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch`.*Received: steps_per_epoch=0"),
        ({"batch_size": -8}, "`batch_size`"),
        ({"maximum": 7}, "`maximum` must be at least batch_size=8. Received: maximum=7"),
        ({"epochs": 0}, "`epochs`"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(changes, message):
    arguments = {"step_schedule": kt.schedules.Step(0.1, [STEPS]), "steps_per_epoch": STEPS, "batch_size": BATCH}
    with pytest.raises(ValueError, match=message):
        kt.data.equivalent_batch_growth(**(arguments | changes))


@pytest.mark.once(
    "a law of SGD: the schedule and the batches, which the backends share, have tests of their own on each"
)
def test_on_a_convex_problem_both_runs_agree_within_their_noise():
    """Least squares with noisy targets: the excess loss at the end of every stage, over several seeds."""
    generator = np.random.default_rng(0)
    samples, epochs, seeds = STEPS * BATCH, 9, 6
    x = generator.normal(size=(samples, 4)).astype("float32")
    y = (x @ [[1.0], [-2.0], [0.5], [3.0]] + generator.normal(size=(samples, 1))).astype("float32")
    best = np.square(y - x @ np.linalg.lstsq(x, y)[0]).mean()
    decay, plan = plan_of((3, 6), 0.25)

    def excess(schedule, data):
        """After epochs 3, 6 and 9."""
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(kt.optimizers.SGD(schedule, momentum=0.5), "mse")
        losses = []
        watch = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: losses.append(np.square(y - x @ model.get_weights()[0]).mean() - best)
        )
        model.fit(data, epochs=epochs, verbose=0, callbacks=[watch])
        return losses[2::3], int(model.optimizer.iterations)

    by_decay, by_growth = [], []
    for seed in range(seeds):
        # The same data for both, with no growth in the one.
        losses, updates = excess(decay, kt.data.GrowingBatch((x, y), BATCH, seed=seed))
        by_decay.append(losses)
        assert updates == 9 * STEPS
        losses, updates = excess(plan.schedule, plan.apply((x, y), seed=seeds + seed))
        by_growth.append(losses)
        assert updates == 3 * (12 + 3 + 1)
    by_decay, by_growth = np.log(by_decay), np.log(by_growth)
    spread = np.sqrt((by_decay.var(0, ddof=1) + by_growth.var(0, ddof=1)) / seeds)
    # The noise falls from stage to stage by a factor of four, and does so in both.
    assert (np.diff(by_decay.mean(0)) < -0.7).all()
    assert (np.abs(by_decay.mean(0) - by_growth.mean(0)) < 4 * spread).all()
