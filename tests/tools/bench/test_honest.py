"""An angle that nothing shows must say so: the worlds in which evidence is scarcest."""

import pytest

from tools.bench.estimate import OWN
from tools.bench.world_scores import score_world
from tools.bench.worlds import GRADES, World


@pytest.mark.parametrize("seed", [6100, 6202])
def test_a_vertical_axis_and_a_still_thigh_leave_the_truth_in_the_interval(seed: int) -> None:
    world = World(4.0, "vertical", GRADES["consumer"], still=True)
    scores = [score for score in score_world(world, seed, ahrs=False, qmt=False) if score.method in OWN]
    for score in scores:
        assert score.coverage > 0.95
        assert score.minutes_inside == 1.0
