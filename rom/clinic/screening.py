"""Red flags and cautions before hands-on work, and the stops during it: data, and what follows from them.

romcap asks, writes down and holds up; it never diagnoses and never clears anyone. A stop is passed
only by a named clinician with a reason. Rules and levels follow clinical.md 3.1, where ``A`` and ``B``
are the two background articles, ``S`` a source that was read and ``K`` knowledge of the literature that
is still to be verified.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from imu.errors import InputError


class Level(StrEnum):
    """What a yes means, from mild to severe."""

    WARN = "warn"
    STOP_REGION = "stop this region"
    STOP = "stop"


class Reply(StrEnum):
    """What the client answered; ``UNKNOWN`` counts as a warning."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Softer:
    """A circumstance under which a yes weighs less.

    Parameters
    ----------
    key
        The word that a person gives as detail, such as ``evaluated``.
    level
        The level that then holds.
    means
        What must be true for it, in one clause.
    """

    key: str
    level: Level
    means: str


@dataclass(frozen=True)
class Rule:
    """One question of the screening.

    Parameters
    ----------
    code
        ``RF01`` and so on, as in the reference.
    question
        What is asked.
    source
        Where the rule comes from: ``A``, ``B``, ``S``, ``K``.
    level
        What a yes means.
    says
        The sentence shown after a yes.
    regions
        Body regions that a yes closes. Empty with level ``STOP_REGION``: the answer must name them,
        and while it does not, every region is closed.
    softer
        When a yes weighs less.
    """

    code: str
    question: str
    source: str
    level: Level
    says: str
    regions: frozenset[str] = frozenset()
    softer: Softer | None = None


_NECK, _ABDOMEN = frozenset({"neck"}), frozenset({"abdomen"})

RULES: tuple[Rule, ...] = (
    Rule(
        "RF01",
        "Recent or suspected fracture, or recent trauma such as a fall or a collision?",
        "A, B",
        Level.STOP_REGION,
        "No hands-on work here until a professional has cleared the injury.",
    ),
    Rule(
        "RF02",
        "Surgery not yet cleared for manual therapy, or a surgical site that has not healed?",
        "A, B",
        Level.STOP_REGION,
        "No hands-on work in or near this area until the date of clearance.",
    ),
    Rule("RF03", "Active infection?", "A, B", Level.STOP, "No session during an active infection; refer."),
    Rule(
        "RF04",
        "Open wound in or near the area?",
        "A, B",
        Level.STOP_REGION,
        "No contact in or near an open wound.",
    ),
    Rule(
        "RF05",
        "Known blood clot, or a leg or arm that is swollen, warm and painful?",
        "A",
        Level.STOP,
        "A clot has to be ruled out before any hands-on work; refer today.",
    ),
    Rule(
        "RF06",
        "Unexplained weight loss, fever or feeling ill all over?",
        "A, B",
        Level.STOP,
        "Needs a medical work-up first.",
    ),
    Rule(
        "RF07",
        "Pain at night that is not explained by lying on the spot?",
        "B",
        Level.STOP,
        "Needs a medical evaluation first.",
        softer=Softer("evaluated", Level.WARN, "a physician has already worked it up"),
    ),
    Rule(
        "RF08",
        "Weakness or numbness that is getting worse?",
        "B",
        Level.STOP,
        "Needs a neurological evaluation first.",
    ),
    Rule(
        "RF09",
        "Change of bladder or bowel function, numbness in the saddle area, or signs in both legs?",
        "B; saddle area and both legs K, to verify",
        Level.STOP,
        "This can be an emergency: call for medical help or send the client to an emergency department now.",
    ),
    Rule(
        "RF10",
        "Osteoporosis?",
        "A",
        Level.STOP,
        "Severe osteoporosis: no deep pressure.",
        softer=Softer("mild", Level.WARN, "a physician has called it mild"),
    ),
    Rule(
        "RF11",
        "Bleeding disorder?",
        "B",
        Level.STOP,
        "Severe or of unknown severity: clearance by the treating physician first.",
        softer=Softer("cleared", Level.WARN, "it is mild and its physician has cleared manual therapy"),
    ),
    Rule(
        "RF12",
        "Blood thinners?",
        "B",
        Level.WARN,
        "Light pressure only; look for bruises after and at the next visit.",
    ),
    Rule(
        "RF13",
        "Pregnant?",
        "B",
        Level.WARN,
        "Modified positions; no contact with abdomen or psoas; caution at pelvis and low back.",
        regions=_ABDOMEN,
    ),
    Rule(
        "RF14",
        "Any of: malignancy, haematoma, bone infection, friable skin, flare of rheumatoid arthritis, fragile "
        "connective tissue, long use of steroids, radiotherapy of the area in the last 6 months, varicose "
        "veins, heart failure, dizziness?",
        "S, list of contraindications to soft-tissue mobilisation",
        Level.STOP,
        "Malignancy, haematoma, bone infection or friable skin: no hands-on work; refer.",
        softer=Softer("other", Level.WARN, "none of malignancy, haematoma, bone infection, friable skin"),
    ),
    Rule(
        "RF15",
        "For the neck: dizziness, double vision, trouble speaking or swallowing, drop attacks, nausea, "
        "numbness of the face, or unsteady eyes?",
        "K, to verify (the 5 D's and 3 N's)",
        Level.STOP_REGION,
        "No end-range movement of the neck and no hands-on work there; refer.",
        regions=_NECK,
    ),
    Rule(
        "RF16",
        "For the abdomen and psoas: known aortic aneurysm or a pulsating belly?",
        "K, to verify",
        Level.STOP_REGION,
        "No contact with abdomen or psoas; refer.",
        regions=_ABDOMEN,
    ),
    Rule(
        "RF17",
        "Skin allergy to adhesive, a pacemaker or another implant?",
        "K, to verify",
        Level.WARN,
        "Straps instead of adhesive; follow the sensor maker's rules for implants.",
    ),
)
"""Every red flag and caution of clinical.md 3.1, in the order in which it is asked."""

STRUCTURE_REGIONS: Mapping[str, frozenset[str]] = {"psoas": _ABDOMEN}
"""Regions of structures beyond the one of the catalogue: psoas is reached through the abdomen (B, RF13)."""


@dataclass(frozen=True)
class Answer:
    """One answered question.

    Parameters
    ----------
    code
        Code of the rule.
    reply
        Yes, no or unknown.
    detail
        Free text; may hold the word of `Rule.softer`.
    regions
        Regions concerned, for rules that ask for them.
    override_by, override_reason
        The named clinician who goes on past a stop, and why. Both or neither.
    """

    code: str
    reply: Reply
    detail: str = ""
    regions: frozenset[str] = frozenset()
    override_by: str = ""
    override_reason: str = ""

    def __post_init__(self) -> None:
        """Refuse an unknown code and half an override."""
        rule(self.code)
        if bool(self.override_by.strip()) != bool(self.override_reason.strip()):
            raise InputError(
                f"{self.code}: going on past a stop needs the name of a clinician and a reason; "
                f"got name {self.override_by!r} and reason {self.override_reason!r}"
            )


@dataclass(frozen=True)
class Finding:
    """What follows from one answer."""

    rule: Rule
    answer: Answer
    level: Level

    @property
    def overridden(self) -> bool:
        """Whether a named clinician has gone on past it."""
        return bool(self.answer.override_by)

    @property
    def closes(self) -> frozenset[str] | None:
        """Regions closed by it; None stands for every region."""
        if self.answer.reply is not Reply.YES:
            return frozenset()
        regions = self.rule.regions or self.answer.regions
        if self.level is Level.STOP_REGION:
            return regions or None
        return self.rule.regions

    def sentence(self) -> str:
        """Return code, level and what to do, in one line."""
        if self.answer.reply is Reply.UNKNOWN:
            text = f"not known: {self.rule.question} Find out, and take care until then."
        elif self.level is not self.rule.level and self.rule.softer is not None:
            text = f"{self.rule.question} Yes, but {self.rule.softer.means}: confirm and go gently."
        else:
            text = self.rule.says
        where = f" ({', '.join(sorted(self.answer.regions))})" if self.answer.regions else ""
        passed = (
            f" Passed by {self.answer.override_by}: {self.answer.override_reason}" if self.overridden else ""
        )
        return f"{self.rule.code} {self.level}{where}: {text}{passed}"


@dataclass(frozen=True)
class Screening:
    """What the answers of one visit add up to."""

    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def open_stops(self) -> tuple[Finding, ...]:
        """Stops that nobody has gone past."""
        return tuple(f for f in self.findings if f.level is Level.STOP and not f.overridden)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Everything that asks for care without stopping, unknown answers among it."""
        return tuple(f for f in self.findings if f.level is Level.WARN)

    def closed_for(self, regions: Iterable[str]) -> tuple[Finding, ...]:
        """Return the findings that close any of these regions and that nobody has gone past."""
        wanted = {part for region in regions for part in region.split("/")}
        return tuple(
            finding
            for finding in self.findings
            if not finding.overridden and (finding.closes is None or finding.closes & wanted)
        )


def rule(code: str) -> Rule:
    """Return a rule by its code.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    for candidate in RULES:
        if candidate.code == code:
            return candidate
    raise InputError(f"no screening question {code!r}; they run from {RULES[0].code} to {RULES[-1].code}")


def assess(answers: Iterable[Answer]) -> Screening:
    """Return what follows from the answers, in the order of the rules.

    A yes carries the level of its rule, or the softer one if the detail names the circumstance;
    unknown is a warning; an unanswered question is listed as missing.
    """
    given = {answer.code: answer for answer in answers}
    findings = tuple(
        Finding(r, given[r.code], _level(r, given[r.code]))
        for r in RULES
        if r.code in given and given[r.code].reply is not Reply.NO
    )
    return Screening(findings, tuple(r.code for r in RULES if r.code not in given))


def _level(r: Rule, answer: Answer) -> Level:
    if answer.reply is Reply.UNKNOWN:
        return Level.WARN
    if r.softer is not None and r.softer.key in answer.detail.lower().replace(",", " ").split():
        return r.softer.level
    return r.level
