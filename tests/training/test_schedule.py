import pytest

from cnnlib.training.schedule import Plan, faded, plan, steps_for, strength_for


@pytest.mark.parametrize(("pictures", "views"), [(300, (100, 200)), (19_000, (20, 40)), (300_000, (5, 15))])
def test_auto_steps_are_a_sensible_number_of_views(pictures: int, views: tuple[float, float]) -> None:
    assert views[0] <= steps_for(pictures, 128) * 128 / pictures <= views[1]


def test_auto_steps_double_with_four_times_the_pictures() -> None:
    assert [steps_for(count, 1) for count in (1000, 4000, 16_000)] == [88_000, 176_000, 352_000]
    assert steps_for(10, 128) == 300


@pytest.mark.parametrize(
    ("views", "strength"), [(0.1, 0.0), (4.4721, 0.5), (20, 1.0), (35.214, 1.5), (62, 2.0), (10_000, 2.0)]
)
def test_auto_changes_pictures_more_the_more_often_they_are_seen(views: float, strength: float) -> None:
    assert strength_for(views) == pytest.approx(strength, abs=1e-3)


def test_changes_fade_out_over_the_last_half_of_the_steps() -> None:
    assert [faded(2.0, step, 1000) for step in (0, 500, 750, 999)] == pytest.approx([2.0, 2.0, 1.0, 0.004])


def test_plan_takes_numbers_of_the_config_and_resolves_auto() -> None:
    assert plan(1000, 100, 150, 0.7, pairs=True) == Plan(150, 15.0, 0.7, paired=True)
    assert plan(1000, 100, "auto", "auto", pairs=True) == Plan(880, 88.0, 2.0, paired=True)


@pytest.mark.parametrize(
    ("batch_size", "steps", "strength", "pairs"),
    [(100, 99, 0.7, True), (100, 100, 0.0, True), (1, 10_000, 0.7, True), (100, 100, 0.7, False)],
)
def test_two_views_need_many_epochs_changes_a_batch_of_two_and_a_network_that_gains(
    batch_size: int, steps: int, strength: float, pairs: bool
) -> None:
    assert plan(1000, 100, 100, 0.7, pairs=True).paired
    assert not plan(1000, batch_size, steps, strength, pairs=pairs).paired
