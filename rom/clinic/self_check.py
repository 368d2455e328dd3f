"""A self-check before anybody is asked: six questions that end in "talk to a clinician", never in a verdict.

The points are those of background article B, in our own words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from imu.errors import InputError

QUESTIONS: Mapping[str, str] = {
    "muscle": "Does it sit in certain muscles or tendons rather than deep in a joint?",
    "load": "Does it get worse with repeated use (running, lifting, typing) and better with rest?",
    "stuck": "Do you still feel restricted although you stretch or roll?",
    "weeks": "Has it lasted for more than four to six weeks although you look after it?",
    "discomfort": "Would short, controlled discomfort during treatment be all right for you?",
    "exercise": "Would you do exercises afterwards?",
}

SEVERAL = 3
"""From here on "several apply"; the article gives no number, this one is ours."""

FIRST = (
    "If there was a fall or an injury, fever, weight loss, pain at night, growing weakness or numbness, a "
    "change of bladder or bowel, an infection or open wound, a bleeding disorder or blood thinners, or a "
    "pregnancy: have that looked at first."
)


@dataclass(frozen=True)
class SelfCheck:
    """How many points apply, and what to do about it."""

    apply: int
    asked: int

    def sentence(self) -> str:
        """Return what to do: always to talk to a clinician; this is no diagnosis."""
        if self.apply >= SEVERAL:
            start = f"{self.apply} of {self.asked} points apply: soft-tissue work may be worth discussing"
        else:
            start = f"{self.apply} of {self.asked} points apply: other causes may fit better"
        return f"{start}. This is no diagnosis: talk to a clinician. {FIRST}"


def self_check(answers: Mapping[str, bool]) -> SelfCheck:
    """Return what the answers add up to.

    Raises
    ------
    InputError
        If a question is missing or unknown.
    """
    if set(answers) != set(QUESTIONS):
        missing = sorted(set(QUESTIONS) ^ set(answers))
        raise InputError(f"the self-check needs an answer to each of {', '.join(QUESTIONS)}; check {missing}")
    return SelfCheck(sum(answers.values()), len(QUESTIONS))
