"""An angle that nothing shows must say so: the worlds in which evidence is scarcest."""

import pytest

from tools.bench.estimate import OWN
from tools.bench.intervals import mean_and_error
from tools.bench.world_scores import score_world
from tools.bench.worlds import GRADES, World

PEOPLE = tuple(range(6101, 6107))
"""Six: of three, one minute outside its interval in six would already be less than nine in ten."""


@pytest.mark.parametrize(("axis", "still"), [("vertical", True), ("near-vertical", False)])
def test_where_nothing_shows_the_heading_the_interval_holds_the_truth(axis: str, still: bool) -> None:
    world = World(3.0, axis, GRADES["consumer"], still)
    scores = [score for each in PEOPLE for score in score_world(world, each, ahrs=False, qmt=False)]
    for method in OWN:
        mine = [score for score in scores if score.method == method]
        assert len(mine) == len(PEOPLE)
        assert mean_and_error([score.held.since_pose for score in mine])[0] > 0.9
        assert mean_and_error([score.minutes_inside for score in mine])[0] > 0.9
