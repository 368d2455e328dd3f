"""An angle that nothing shows must say so: the worlds in which evidence is scarcest."""

import pytest

from tools.bench.estimate import OWN
from tools.bench.world_scores import score_world
from tools.bench.worlds import GRADES, World


@pytest.mark.parametrize(
    ("minutes", "axis", "still", "seed"),
    [(4.0, "vertical", True, 6100), (15.0, "near-vertical", False, 7101)],
)
def test_where_nothing_shows_the_heading_the_interval_holds_the_truth(
    minutes: float, axis: str, still: bool, seed: int
) -> None:
    world = World(minutes, axis, GRADES["consumer"], still)
    scores = [score for score in score_world(world, seed, ahrs=False, qmt=False) if score.method in OWN]
    for score in scores:
        assert score.held.since_pose > 0.9
        assert score.minutes_inside > 0.9
